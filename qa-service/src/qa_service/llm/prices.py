"""What calls of the model cost, by the price table of the settings."""

import math
from collections.abc import Mapping

from qa_service.llm.options import Price
from qa_service.settings import QaSettings

#: Characters of a token, about: only where the provider does not tell the tokens.
CHARACTERS_OF_A_TOKEN = 4


class PriceTable:
    """Prices by the longest prefix of a model's name."""

    def __init__(self, prices: Mapping[str, Price], unknown: Price) -> None:
        self._prices = sorted(prices.items(), key=lambda each: -len(each[0]))
        self._unknown = unknown

    @classmethod
    def of(cls, settings: QaSettings) -> "PriceTable":
        """The table of the settings."""
        return cls(settings.llm_prices, settings.llm_default_price)

    def price(self, *models: str) -> Price:
        """Of the first of these names that the table knows, else that of unknown models."""
        found = (price for model in models for prefix, price in self._prices if model.startswith(prefix))
        return next(found, self._unknown)

    def cost_micros(self, input_tokens: int, output_tokens: int, *models: str) -> int:
        """Millionths of a dollar, rounded up; `models`: the one that answered, then the one that was asked."""
        price = self.price(*models)
        return math.ceil(round(input_tokens * price.input + output_tokens * price.output, 6))


def tokens_of(text: str) -> int:
    """An estimate."""
    return -(-len(text) // CHARACTERS_OF_A_TOKEN)
