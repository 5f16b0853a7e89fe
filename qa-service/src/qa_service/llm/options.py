"""Parts of the settings: prices of models, and providers that stand in for the first one."""

from pydantic import Field, SecretStr

from intervai_shared.models import WireModel


class Price(WireModel):
    """US dollars per million tokens, which are as many millionths of a dollar per token."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class FallbackProvider(WireModel):
    """A provider that is asked when those before it cannot answer. `model_high`: for quality `high`; `model` if it is
    not given."""

    name: str = Field(min_length=1, max_length=40)
    api_key: SecretStr
    base_url: str | None = None
    model: str = Field(min_length=1)
    model_high: str | None = None


#: Of the providers' price lists, 2025; the longest prefix of a model's name counts. The offline model costs nothing.
DEFAULT_PRICES = {
    "gpt-4o-mini": Price(input=0.15, output=0.60),
    "gpt-4o": Price(input=2.50, output=10.00),
    "gpt-4.1-nano": Price(input=0.10, output=0.40),
    "gpt-4.1-mini": Price(input=0.40, output=1.60),
    "gpt-4.1": Price(input=2.00, output=8.00),
    "intervai-offline": Price(input=0, output=0),
}
#: Rather too much than too little for a model that nobody has priced.
UNKNOWN_PRICE = Price(input=2.50, output=10.00)
