"""The worker's side of a schedule: each time of it is done once, by one worker, and never beside the one before."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from prometheus_client import Counter
from pymongo.errors import DuplicateKeyError

from intervai_shared.logs import log
from intervai_shared.messaging.broker import TIME_LIMIT_MS
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database

#: Longer than a message may take: a run whose worker died is taken up by another after this.
LEASE = timedelta(milliseconds=TIME_LIMIT_MS) + timedelta(seconds=10)
RUNS = Counter("intervai_scheduled_runs_total", "Runs of scheduled work by how they ended", ["name", "result"])


class ScheduledRuns:
    """`scheduled_runs` holds the last run of each schedule: `{_id: name, slot, fence, state, leaseUntil, …}`."""

    def __init__(self, db: Database) -> None:
        self._runs = db.scheduled_runs

    async def run(self, name: str, slot: datetime, fence: int, work: Callable[[], Awaitable[None]]) -> None:
        """Does the work of one time. Idempotent: a time that is done, older than the last one, sent by a leader of the
        past, or under way is passed over. Raises what `work` raises; the time may be tried again then."""
        if not await self._take(name, slot, fence):
            RUNS.labels(name, "passed over").inc()
            log.info("scheduled run passed over", schedule=name, slot=slot.isoformat())
            return
        try:
            await work()
        except BaseException as error:
            RUNS.labels(name, "failed").inc()
            await self._end(name, slot, "failed", repr(error))
            raise
        RUNS.labels(name, "done").inc()
        await self._end(name, slot, "done", None)

    async def _take(self, name: str, slot: datetime, fence: int) -> bool:
        now = utc_now()
        nobody_runs = {"$or": [{"state": {"$ne": "running"}}, {"leaseUntil": {"$lt": now}}]}
        is_next: Document = {"$or": [{"slot": {"$lt": slot}}, {"slot": slot, "state": {"$ne": "done"}}]}
        free = {"_id": name, "fence": {"$lte": fence}, "$and": [nobody_runs, is_next]}
        taken = {"slot": slot, "fence": fence, "state": "running", "leaseUntil": now + LEASE, "startedAt": now}
        try:
            await self._runs.update_one(free, {"$set": taken, "$unset": {"endedAt": "", "error": ""}}, upsert=True)
        except DuplicateKeyError:  # there is a record, and it is not free
            return False
        return True

    async def _end(self, name: str, slot: datetime, state: str, error: str | None) -> None:
        ended = {"state": state, "endedAt": utc_now(), "error": error}
        await self._runs.update_one({"_id": name, "slot": slot, "state": "running"}, {"$set": ended})
