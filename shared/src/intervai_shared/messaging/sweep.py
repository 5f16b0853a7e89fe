"""The sweep of forgotten jobs: a Redis that loses its data takes the messages with it, the job records stay."""

import asyncio
from datetime import timedelta

from prometheus_client import Counter

from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Session

SWEEP_SECONDS = 30.0
#: Seconds that a record must have been left alone: longer than from a commit to the start of its job, and than a lease.
FORGOTTEN_SECONDS = 90.0
BATCH = 100
SENT_AGAIN = Counter("intervai_jobs_sent_again_total", "Jobs whose message was lost", ["actor"])


class JobSweep:
    """Sends the jobs of one actor again that wait, or whose worker died, while no message of their queue is anywhere.
    Any number of workers may sweep: a record is taken by compare-and-set, and a message too many is a no-op."""

    def __init__(self, records: Collection, lengths: QueueLengths, outbox: Outbox, actor: str, queue: str) -> None:
        self._records = records
        self._lengths = lengths
        self._outbox = outbox
        self._actor = actor
        self._queue = queue

    async def run(self) -> None:
        """Works until cancelled. Raises what Mongo or Redis raise; call it again then."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """One look."""
        if await self._lengths.in_redis(self._queue) or await self._lengths.in_outbox(self._queue, 1):
            return
        before = utc_now() - timedelta(seconds=FORGOTTEN_SECONDS)
        forgotten = {"status": {"$in": ["queued", "running"]}, "updatedAt": {"$lt": before}}
        for job in await self._records.find(forgotten).limit(BATCH).to_list():
            await self._send_again(job)

    async def _send_again(self, job: Document) -> None:
        async def effect(session: Session) -> bool:
            seen = {key: job[key] for key in ("_id", "status", "updatedAt")}
            taken = await self._records.update_one(seen, {"$set": {"updatedAt": utc_now()}}, session=session)
            if taken.modified_count:
                await self._outbox.add_job(session, self._actor, self._queue, str(job["_id"]))
            return bool(taken.modified_count)

        if await self._outbox.transaction(effect):
            SENT_AGAIN.labels(self._actor).inc()
            log.warning("job was forgotten, sent again", jobId=str(job["_id"]), status=job["status"])
