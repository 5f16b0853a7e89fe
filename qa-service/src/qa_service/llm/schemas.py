"""What a person sees of what their use of the language model costs."""

from datetime import date

from intervai_shared.models import WireModel


class DayOfUse(WireModel):
    """A day (UTC): calls of the model, their tokens, their estimated cost in US dollars."""

    date: date
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class Usage(WireModel):
    """`budgetUsd` of a day, null if there is none; `reservedUsd`: what jobs that wait or run may still cost; `today` is
    also the first of `days`, which holds only days with use."""

    today: DayOfUse
    reserved_usd: float
    budget_usd: float | None
    days: list[DayOfUse]
