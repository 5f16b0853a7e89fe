"""What a user has spent."""

from typing import Any

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from qa_service.llm.budgets import MICROS, Reservations
from qa_service.llm.repository import SpendRepository
from qa_service.settings import QaSettings

DAYS = 30


class UsageService:
    """The sums of one user at a time."""

    def __init__(self, settings: QaSettings, db: Database, jobs: Reservations) -> None:
        self._budget = settings.llm_user_daily_usd
        self._spend = SpendRepository(db)
        self._jobs = jobs

    async def of(self, user: ObjectId) -> Document:
        """Today, and the last 30 days on which there was something, as `Usage` has them."""
        days = [_day(found) for found in await self._spend.days(user, DAYS)]
        today = f"{utc_now():%Y-%m-%d}"
        return {
            "today": next((day for day in days if day["date"] == today), _day({"day": utc_now()})),
            "reservedUsd": await self._jobs.reserved_micros(user) / MICROS,
            "budgetUsd": self._budget or None,
            "days": days,
        }


def _day(found: Document) -> dict[str, Any]:
    return {
        "date": f"{found['day']:%Y-%m-%d}",
        "calls": found.get("calls", 0),
        "inputTokens": found.get("inputTokens", 0),
        "outputTokens": found.get("outputTokens", 0),
        "costUsd": found.get("costMicros", 0) / MICROS,
    }
