"""A tiny service, whose worker the tests start as a process: `python -m intervai_shared.work counting_worker`.

It counts its runs in Mongo, with every time of the chassis shortened."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bson import ObjectId
from dramatiq.middleware import TimeLimit

from intervai_shared import context, jobs, tasks
from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.messaging import broker, failures, sweep
from intervai_shared.messaging.events.catalogue import Event
from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.models import Document, Id
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings, load_settings

broker.MIN_BACKOFF_MS = 50
broker.MAX_BACKOFF_MS = 200
broker.HEARTBEAT_TIMEOUT_MS = 1000
broker.MAINTENANCE_CHANCE = 1_000_000
jobs.LEASE_SECONDS = 0.8
jobs.RENEW_SECONDS = 0.1
jobs.LOOK_SECONDS = 0.1
tasks.RESTART_SECONDS = 0.1
sweep.SWEEP_SECONDS = 0.2
sweep.FORGOTTEN_SECONDS = 2.0
failures.AGAIN_SECONDS = 0.1
TimeLimit.__init__.__kwdefaults__.update(interval=100)  # milliseconds between two looks at the clock
THREADS = 8


class JobDone(Event):
    """A job has come to its end."""

    TYPE = "job.done"
    AGGREGATE = "job"

    job: Id
    attempt: int


@dataclass(frozen=True)
class Container:
    """What the worker holds."""

    resources: Resources

    @property
    def records(self) -> JobRecords:
        return JobRecords(self.resources.mongo.db.jobs, self.resources.live)


async def do_job(container: Container, job_id: str) -> None:
    """Does a job in the way that its record names in `how`."""
    db = container.resources.mongo.db

    async def work(run: JobRun) -> Document:
        await db.runs.insert_one({"job": run.id, "attempt": run.attempt, "requestId": context.request_id.get()})
        how = run.document["how"]
        if how == "fail":
            raise ConnectionError("as it is meant to")
        if how == "impossible":
            raise PermanentError("It cannot be done.")
        if how == "kill":
            os._exit(9)
        while how == "wait" and not await db.flags.find_one({"_id": run.id}):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

        async def effect(session: Session) -> None:
            await run.succeed(session)
            done = JobDone(job=run.id, attempt=run.attempt)
            await container.resources.outbox.add_event(session, run.id, done)

        await container.resources.outbox.transaction(effect)
        return {}

    await container.records.run(ObjectId(job_id), work)


async def overrun(container: Container, job_id: str) -> None:
    """Never comes to an end by itself."""

    async def work(run: JobRun) -> Document:
        await container.resources.mongo.db.runs.insert_one({"job": run.id, "attempt": run.attempt})
        await asyncio.sleep(3600)
        return {}

    await container.records.run(ObjectId(job_id), work)


async def stumble(container: Container) -> None:
    """Has no job record, and fails."""
    raise ValueError("over a stone")


async def count_tick(container: Container) -> None:
    """Is done at each second, so that tests need not wait."""
    await container.resources.mongo.db.ticks.insert_one({})


def event_handlers(container: Container) -> Mapping[str, EventHandler]:
    async def count(event: Document, session: Session) -> None:
        change = {"$inc": {"count": 1}}
        key = {"_id": event["data"]["job"]}
        await container.resources.mongo.db.done.update_one(key, change, upsert=True, session=session)

    return {"job.done": count}


@asynccontextmanager
async def open_container(settings: ServiceSettings) -> AsyncIterator[Container]:
    async with open_resources(settings, {}) as resources:
        yield Container(resources)


def create_worker() -> ServiceWorker[ServiceSettings, Container]:
    """Reads the settings from the environment."""
    settings = load_settings(ServiceSettings)
    subscribers = {"job.done": [settings.service]}
    worker = ServiceWorker(settings, open_container, threads=THREADS, subscribers=subscribers)
    worker.actor(do_job, "jobs", records="jobs", bulk=True)
    worker.actor(overrun, "jobs", time_limit=200)
    worker.actor(stumble, "chores")
    worker.scheduled(count_tick, "* * * * * *")
    worker.on_events(event_handlers)
    return worker
