"""Job records: the truth of a job's status, with a lease so that one worker at a time does it.

States: queued → running → succeeded | failed | cancelled. A start takes the lease and counts an attempt; the attempt's
number is the fencing token: who lost the lease can no longer write (Kleppmann, 'How to do distributed locking', 2016).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bson import ObjectId
from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel

from intervai_shared.errors import OUTAGES
from intervai_shared.job_lease import LostLeaseError, renewed
from intervai_shared.live import LiveUpdates
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Session

LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0
#: Seconds after which a run that waits for another's lease looks again: it holds a place of the worker meanwhile.
LOOK_SECONDS = 1.0
#: Seconds between two notes of a progress in the record: each is a write, and most jobs are over before one is read.
NOTE_SECONDS = 1.0
MAX_ATTEMPTS = 3
#: An attempt that ends since a part is down does not count, as long as the job is younger than this.
OUTAGE_PATIENCE = timedelta(minutes=30)
FINAL = ("succeeded", "failed", "cancelled")
#: Every collection of job records has it: those that wait or run are looked through for forgotten ones.
SWEEP_INDEX = IndexModel([("status", ASCENDING), ("updatedAt", ASCENDING)])
ENDED = Counter("intervai_jobs_ended_total", "Runs of jobs by how they ended", ["kind", "result"])


class PermanentError(Exception):
    """The job can never succeed; its text is shown to the user as the job's `error`."""


class GaveUpError(Exception):
    """The job has failed in its last attempt: its message is of no further use, and becomes a dead letter."""


@dataclass(eq=False)
class JobRun:
    """One attempt at a job. `document` is the record as it was when the attempt began."""

    id: ObjectId
    attempt: int
    document: Document
    records: "JobRecords"
    noted_at: float = field(default_factory=time.monotonic)

    @property
    def is_last(self) -> bool:
        """Whether the job has failed when this attempt fails."""
        excused: int = self.document.get("excused", 0)
        return self.attempt - excused >= MAX_ATTEMPTS

    async def progress(self, percent: int, **update: Any) -> None:
        """Announces the progress (0 to 100), and notes it in the record where the last note is a second old. Raises
        LostLeaseError."""
        if time.monotonic() - self.noted_at >= NOTE_SECONDS:
            await self.records.write(self, {"progress": percent})
            self.noted_at = time.monotonic()
        await self.records.announce(self.id, status="running", progress=percent, **update)

    async def succeed(self, session: Session, **fields: Any) -> None:
        """Ends the job within the transaction that holds its effect. Raises LostLeaseError."""
        done = {"status": "succeeded", "progress": 100, "leaseUntil": None, "finishedAt": utc_now(), **fields}
        await self.records.write(self, done, session)


class JobRecords:
    """The job records of one collection, and their live updates under `job:<id>`."""

    def __init__(self, collection: Collection, live: LiveUpdates) -> None:
        self._collection = collection
        self._live = live

    @staticmethod
    def new(kind: str, user: ObjectId | None, **fields: Any) -> Document:
        """A record to insert with the change that asks for the job. Raises ValueError when one of `fields` has the name
        of a field of every record: the lease would no longer hold."""
        now = utc_now()
        state = {"status": "queued", "progress": 0, "attempt": 0, "leaseUntil": None, "error": None, "result": None}
        record = {"_id": ObjectId(), "kind": kind, "user": user, **state, "createdAt": now, "updatedAt": now}
        if taken := record.keys() & fields.keys():
            raise ValueError(f"fields of every job record: {sorted(taken)}")
        return {**record, **fields}

    async def announce(self, job_id: ObjectId, **update: Any) -> None:
        """Tells those who watch the job."""
        await self._live.publish(f"job:{job_id}", update)

    async def write(self, run: JobRun, fields: Document, session: Session | None = None) -> None:
        """Writes to a running job, if this run still holds its lease. Raises LostLeaseError."""
        held = {"_id": run.id, "status": "running", "attempt": run.attempt}
        if (owner := run.document.get("user")) is not None:  # else the work may find out whose it is, and write it
            held["user"] = owner
        changed = await self._collection.update_one(held, {"$set": {"updatedAt": utc_now(), **fields}}, session=session)
        if changed.matched_count == 0:
            raise LostLeaseError

    async def run(self, job_id: ObjectId, work: Callable[[JobRun], Awaitable[Document]]) -> None:
        """Does a job once: `work` returns what to announce at its end, after it has committed `JobRun.succeed`.

        A message that comes again finds the job done and is a no-op; one that comes while another worker holds the
        lease waits for it.

        Raises:
            Exception: what `work` raised, so that the queue tries again.
            GaveUpError: that was the last attempt.
        """
        run = await self._claim(job_id)
        if run is None:
            return
        kind = run.document["kind"]
        try:
            async with renewed(job_id, lambda: self.write(run, {"leaseUntil": _lease()}), RENEW_SECONDS):
                result = await work(run)
        except LostLeaseError:
            ENDED.labels(kind, "lost").inc()
            log.info("job no longer ours", jobId=str(job_id), attempt=run.attempt)
        except PermanentError as error:
            await self._fail(run, str(error))
        except (Exception, asyncio.CancelledError) as error:  # the queue cancels a run that is over its time limit
            await self._retry_or_fail(run, error)
            raise
        else:
            ENDED.labels(kind, "succeeded").inc()
            await self.announce(job_id, status="succeeded", progress=100, **result)

    async def cancel(self, owner: Document, job_id: ObjectId) -> bool:
        """Cancels a job that has not ended; `owner` is the part of the filter that names whose it is."""
        waiting = {**owner, "_id": job_id, "status": {"$in": ["queued", "running"]}}
        now = utc_now()
        fields = {"status": "cancelled", "leaseUntil": None, "finishedAt": now, "updatedAt": now}
        changed = await self._collection.update_one(waiting, {"$set": fields})
        if changed.modified_count:
            await self.announce(job_id, status="cancelled")
        return bool(changed.modified_count)

    async def abandon(self, job_id: ObjectId, reason: str) -> None:
        """Fails a job whose message will not come again, unless somebody is at work on it or it has ended."""
        if (job := await self._named(self._collection, job_id)) is None:
            return
        idle = [{"status": "queued"}, {"status": "running", "leaseUntil": {"$lt": (now := utc_now())}}]
        fields = {"status": "failed", "error": reason, "leaseUntil": None, "finishedAt": now, "updatedAt": now}
        held = {"_id": job_id, "user": job.get("user"), "$or": idle}
        changed = await self._collection.update_one(held, {"$set": fields})
        if changed.modified_count:
            await self.announce(job_id, status="failed", error=reason)

    @staticmethod
    async def reopen(collection: Collection, job_id: ObjectId, session: Session) -> None:
        """Makes a failed job one that waits, with three new attempts. Their numbers go on: they are fencing tokens."""
        if not (job := await JobRecords._named(collection, job_id, session)) or job["status"] != "failed":
            return
        fresh = {"status": "queued", "progress": 0, "excused": job["attempt"], "error": None, "updatedAt": utc_now()}
        failed = {key: job.get(key) for key in ("_id", "user", "status", "attempt")}
        await collection.update_one(failed, {"$set": fresh, "$unset": {"finishedAt": ""}}, session=session)

    @staticmethod
    async def _named(collection: Collection, job_id: ObjectId, session: Session | None = None) -> Document | None:
        """A message names its job and not whose it is, so this asks every shard; what follows names the owner too."""
        return await collection.find_one({"_id": job_id}, session=session)

    async def _claim(self, job_id: ObjectId) -> JobRun | None:
        while job := await self._named(self._collection, job_id):
            if job["status"] in FINAL:
                return None
            now = utc_now()
            if job["status"] == "running" and job["leaseUntil"] and job["leaseUntil"] > now:
                await asyncio.sleep(min(LOOK_SECONDS, (job["leaseUntil"] - now).total_seconds() + 0.1))
            elif (died := JobRun(job_id, job["attempt"], job, self)).is_last:
                await self._fail(died, "The job was given up after 3 attempts.")
                raise GaveUpError("its worker died in the last attempt")
            elif await self._take(job):
                return JobRun(job_id, job["attempt"] + 1, job, self)
        return None

    async def _take(self, job: Document) -> bool:
        # With `leaseUntil`: a run that has renewed it just now keeps it.
        seen = {key: job.get(key) for key in ("_id", "user", "status", "attempt", "leaseUntil")}
        taken = {"status": "running", "attempt": job["attempt"] + 1, "leaseUntil": _lease(), "updatedAt": utc_now()}
        changed = await self._collection.update_one(seen, {"$set": taken})
        if changed.modified_count:
            await self.announce(job["_id"], status="running", progress=job["progress"])
        return bool(changed.modified_count)

    async def _retry_or_fail(self, run: JobRun, error: BaseException) -> None:
        log.warning("job attempt failed", jobId=str(run.id), attempt=run.attempt, error=repr(error))
        is_excused = isinstance(error, OUTAGES) and utc_now() - run.document["createdAt"] < OUTAGE_PATIENCE
        if run.is_last and not is_excused:
            has_failed = await self._fail(run, "It did not work in 3 attempts. Please try again later.")
            if has_failed and not isinstance(error, asyncio.CancelledError):
                raise GaveUpError(repr(error)) from error
            return
        ENDED.labels(run.document["kind"], "retried").inc()
        with suppress(LostLeaseError):
            excused = run.document.get("excused", 0) + is_excused
            await self.write(run, {"status": "queued", "leaseUntil": None, "excused": excused})
            await self.announce(run.id, status="queued")

    async def _fail(self, run: JobRun, reason: str) -> bool:
        """False when the job is no longer this run's."""
        ENDED.labels(run.document["kind"], "failed").inc()
        fields = {"status": "failed", "error": reason, "leaseUntil": None, "finishedAt": utc_now()}
        try:
            await self.write(run, fields)
        except LostLeaseError:
            return False
        await self.announce(run.id, status="failed", error=reason)
        return True


def _lease() -> Any:
    return utc_now() + timedelta(seconds=LEASE_SECONDS)
