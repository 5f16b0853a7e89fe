"""Job records of a test, and work that the test holds in its hands."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared import jobs as module
from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.live import LiveUpdates
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session

USER = ObjectId()


class Jobs:
    """The records of one collection, with what tests do to them."""

    def __init__(self, mongo: Mongo, redis: Redis, service: str) -> None:
        self.mongo = mongo
        self.live = LiveUpdates(redis, service)
        self.collection = mongo.db.jobs
        self.records = JobRecords(self.collection, self.live)

    async def add(self, **fields: Any) -> ObjectId:
        job = {**JobRecords.new("probe", USER), **fields}
        await self.collection.insert_one(job)
        return ObjectId(job["_id"])

    async def get(self, job_id: ObjectId) -> Document:
        job = await self.collection.find_one({"_id": job_id})
        assert job
        return job

    async def state(self, job_id: ObjectId) -> tuple[str, int]:
        """Status and attempts."""
        job = await self.get(job_id)
        return job["status"], job["attempt"]

    async def cancel(self, job_id: ObjectId) -> bool:
        """As its owner does."""
        return await self.records.cancel({"user": USER}, job_id)

    async def succeed(self, run: JobRun) -> None:
        """Ends the job with an effect of its own."""

        async def effect(session: Session) -> None:
            await self.mongo.db.effects.insert_one({"job": run.id, "attempt": run.attempt}, session=session)
            await run.succeed(session, result={"made": 1})

        await self.mongo.transaction(effect)

    async def effects(self) -> list[int]:
        """The attempts whose effect was committed."""
        return [effect["attempt"] async for effect in self.mongo.db.effects.find().sort("_id")]


class Work:
    """Work that begins, waits for the test to let it go on, and succeeds."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.runs: list[JobRun] = []
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, run: JobRun) -> Document:
        self.runs.append(run)
        self.began.set()
        await self.go_on.wait()
        await self._jobs.succeed(run)
        return {"result": {"made": 1}}


@pytest.fixture(autouse=True)
def quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a lease looks again soon."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


@pytest.fixture
def jobs(mongo: Mongo, redis: Redis, service: str) -> Jobs:
    return Jobs(mongo, redis, service)


@pytest.fixture
def new_work(jobs: Jobs) -> Callable[[], Work]:
    return lambda: Work(jobs)


@pytest.fixture
def work(new_work: Callable[[], Work]) -> Work:
    """Work that goes through at once."""
    made = new_work()
    made.go_on.set()
    return made
