"""The rules of jobs towards their owner: look, follow, cancel."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bson import ObjectId
from redis.exceptions import RedisError

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.jobs import FINAL, JobRecords
from intervai_shared.live import LiveUpdates, or_silence
from intervai_shared.logs import log
from intervai_shared.models import Document
from qa_service.jobs.repository import JobRepository

#: Seconds of silence after which one who follows a job looks whether its last update was lost.
SILENCE_SECONDS = 10.0
#: Seconds between two looks while Redis brings no updates.
WITHOUT_REDIS_SECONDS = 2.0


class JobService:
    """Jobs of one owner at a time."""

    def __init__(self, jobs: JobRepository, records: JobRecords, live: LiveUpdates) -> None:
        self._jobs = jobs
        self._records = records
        self._live = live

    async def get(self, user: ObjectId, job_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such job."""
        if found := await self._jobs.get(user, job_id):
            return found
        raise NotFoundError("There is no such job.")

    async def cancel(self, user: ObjectId, job_id: ObjectId) -> Document:
        """The cancelled job.

        Raises:
            NotFoundError: the user has no such job.
            ConflictError: it has ended already.
        """
        if await self._records.cancel({"user": user}, job_id):
            return await self.get(user, job_id)
        ended = await self.get(user, job_id)
        raise ConflictError(f"The job has ended already: {ended['status']}.")

    async def follow(self, job: Document, last_id: str | None) -> AsyncGenerator[tuple[str, Document], None]:
        """What happens to a job, as (id, update), until it ends; the first update is how it stands now.

        The position is taken before the state is read, so that nothing falls between the two. After a silence comes
        again how it stands: the update that told its end may be lost.
        """
        channel = f"job:{job['_id']}"
        position = last_id or await self._newest(channel)
        current = await self._state(job)
        if not last_id or current["status"] in FINAL:
            yield position, current
        while current["status"] not in FINAL:
            async with aclosing(or_silence(self._live.follow(channel, position), SILENCE_SECONDS)) as updates:
                async for found in updates:
                    position, current = found or (position, await self._state(job))
                    yield position, current
                    if current.get("status") in FINAL:
                        return
            # Redis is away: whoever follows hears how the job stands, only more seldom.
            await asyncio.sleep(WITHOUT_REDIS_SECONDS)
            current = await self._state(job)
            yield position, current

    async def _newest(self, channel: str) -> str:
        try:
            return await self._live.latest_id(channel)
        except RedisError as error:
            log.warning("followed without live updates", channel=channel, error=repr(error))
            return "0-0"

    async def _state(self, job: Document) -> Document:
        current = await self.get(job["user"], job["_id"])
        return {key: current[key] for key in ("status", "progress", "result", "error")}
