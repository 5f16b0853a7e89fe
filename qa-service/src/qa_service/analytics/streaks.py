"""Runs of days with practice."""

from collections.abc import Iterable
from datetime import date, timedelta

from qa_service.analytics.schemas import Streak

_DAY = timedelta(days=1)


def streak_of(days: Iterable[date], today: date) -> Streak:
    """The runs among these days, which are in order. A run goes on until a whole day has passed without practice: who
    has not practised yet today still has the run that ended yesterday."""
    longest = run = 0
    last: date | None = None
    for day in days:
        run = run + 1 if last is not None and day - last == _DAY else 1
        longest, last = max(longest, run), day
    goes_on = last is not None and last >= today - _DAY
    return Streak(current=run if goes_on else 0, longest=longest, last_day=last)
