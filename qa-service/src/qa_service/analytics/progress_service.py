"""What a person has practised: the answers made of what the projection `progress` holds."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

from bson import ObjectId

from intervai_shared.errors import InvalidError, NotFoundError
from intervai_shared.messaging.events.projections import View, current
from intervai_shared.models import utc_now
from intervai_shared.resources import Resources
from qa_service.analytics import figures
from qa_service.analytics.progress_projection import PROGRESS
from qa_service.analytics.progress_repository import ProgressReader
from qa_service.analytics.schemas import MyAnalytics, SessionAnalytics
from qa_service.analytics.streaks import streak_of

ReadView = Callable[[], Awaitable[View]]
DEFAULT_DAYS = 90
MOST_DAYS = 366


class ProgressService:
    """Reads the projection alone, never what the other rooms write.

    `view` may be a little behind; `latest` is not, for what somebody looks for who has just made it (default: `view`).
    """

    def __init__(
        self, view: ReadView, now: Callable[[], datetime] = utc_now, *, latest: ReadView | None = None
    ) -> None:
        self._view = view
        self._latest = latest or view
        self._now = now

    async def mine(self, user: ObjectId, first: date | None = None, last: date | None = None) -> MyAnalytics:
        """All of a person's practice; days of the range only. Raises InvalidError when the range is none."""
        today = self._now().astimezone(UTC).date()
        since, until = _range(first, last, today)
        reader = ProgressReader(await self._view())
        counts, topics, days = await asyncio.gather(
            reader.sessions(user), reader.topics(user), reader.days(user, since, until)
        )
        inside = [day for day in days if since.isoformat() <= day["day"] <= until.isoformat()]
        return MyAnalytics(
            totals=figures.totals(counts, days),
            streak=streak_of((date.fromisoformat(day["day"]) for day in days), today),
            topics=[figures.my_topic(topic, inside) for topic in topics],
            from_=since,
            to=until,
            days=[figures.activity(day) for day in inside],
        )

    async def session(self, user: ObjectId, session_id: ObjectId) -> SessionAnalytics:
        """Raises NotFoundError when the user has no such session, or the projection has not heard of it yet."""
        found = await ProgressReader(await self._latest()).session(user, session_id)
        if found is None:
            raise NotFoundError("There is no such session.")
        return figures.of_session(found)


def _range(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    until = last or max(today, first or today)
    since = first or date.fromordinal(max(1, until.toordinal() - DEFAULT_DAYS + 1))
    if since > until:
        raise _refused("must not be after `to`")
    if until - since >= timedelta(days=MOST_DAYS):
        raise _refused(f"must be at most {MOST_DAYS} days before `to`, counting both")
    return since, until


def _refused(message: str) -> InvalidError:
    return InvalidError([{"field": "query.from", "message": message}])


def open_progress(resources: Resources) -> ProgressService:
    """Wires the service on the chassis's resources."""
    mongo = resources.mongo
    behind, latest = lambda: current(mongo.db, PROGRESS, mongo.read_db), lambda: current(mongo.db, PROGRESS)
    return ProgressService(behind, latest=latest)
