"""Budgets: a user's of a day, the system's of an hour. What a job may cost is reserved while it waits or runs: the
reservations are the jobs themselves, so none is ever left behind."""

import math
import time
from datetime import datetime, timedelta
from typing import Protocol

from bson import ObjectId

from intervai_shared.errors import TooManyRequestsError, UnavailableError
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database, Session
from qa_service.llm import metrics
from qa_service.llm.prices import PriceTable
from qa_service.llm.repository import HourRepository, SpendRepository
from qa_service.settings import QaSettings

MICROS = 1_000_000
#: Seconds for which a process believes what it has read of the system's spending.
BELIEVED_SECONDS = 1.0


class Reservations(Protocol):
    """Sums over the jobs that wait or run, in millionths of a dollar."""

    async def reserved_micros(self, user: ObjectId, session: Session | None = None) -> int: ...

    async def reserved_micros_of_all(self) -> int: ...


class Budgets:
    """Whether another job may start. A budget of 0 is none."""

    def __init__(self, settings: QaSettings, db: Database, jobs: Reservations) -> None:
        self._daily = round(settings.llm_user_daily_usd * MICROS)
        self._hourly = round(settings.llm_hourly_usd * MICROS)
        self._prices = PriceTable.of(settings)
        self._models = {"standard": settings.openai_model, "high": settings.openai_model_high or settings.openai_model}
        self._jobs = jobs
        self._spend = SpendRepository(db)
        self._hours = HourRepository(db)
        self._system = (0.0, 0)

    def estimate_micros(self, output_tokens: int, quality: str) -> int:
        """What answers of so many tokens cost at most, without the questions."""
        return self._prices.cost_micros(0, output_tokens, self._models.get(quality, self._models["standard"]))

    async def _check_system(self) -> None:
        if self._hourly and await self._committed() >= self._hourly:
            metrics.REFUSED.labels("system").inc()
            raise UnavailableError("The language model's budget of this hour is used up.", _to_next_hour(utc_now()))

    async def reserve(self, transaction: Session, user: ObjectId, micros: int) -> None:
        """Call it in the transaction that stores the job, before it: of two transactions that start a job for one user,
        the second sees the first one's.

        Raises:
            TooManyRequestsError: the user's budget of today is used up.
            UnavailableError: the system's budget of this hour is.
        """
        if not micros:
            return
        await self._check_system()
        if not self._daily:
            return
        await self._spend.claim(user, transaction)
        spent = (await self._spend.today(user, transaction)).get("costMicros", 0)
        reserved = await self._jobs.reserved_micros(user, transaction)
        if spent + reserved + micros > self._daily:
            metrics.REFUSED.labels("user").inc()
            wait = {"Retry-After": str(_to_midnight(utc_now()))}
            raise TooManyRequestsError("Your budget of today for the language model is used up.", headers=wait)

    async def _committed(self) -> int:
        """What all have spent in this hour or may still spend, in millionths of a dollar; up to a second old."""
        until, known = self._system
        if until < time.monotonic():
            known = await self._hours.spent_micros() + await self._jobs.reserved_micros_of_all()
            self._system = (time.monotonic() + BELIEVED_SECONDS, known)
        return known


def _to_midnight(now: datetime) -> int:
    """Seconds to the next UTC day."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return math.ceil((midnight - now).total_seconds())


def _to_next_hour(now: datetime) -> int:
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return math.ceil((hour - now).total_seconds())
