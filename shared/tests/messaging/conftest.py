"""The queues of a test's service, and its worker as a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bson import ObjectId
from dramatiq import Message
from redis.asyncio import Redis

from intervai_shared.jobs import JobRecords
from intervai_shared.live import LiveUpdates
from intervai_shared.messaging.dead_letters import DeadLetters
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings

HERE = Path(__file__).parent


class WorkerProcess:
    """A worker of `counting_worker.py`, which logs into `folder`."""

    def __init__(self, folder: Path, settings: ServiceSettings, **environment: str) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = unused.getsockname()[1]
        own = {
            "SERVICE": settings.service,
            "MONGO_DATABASE": settings.mongo_database,
            "REDIS_URL": settings.redis_url.get_secret_value(),
            "PORT": str(self.port),
            "PYTHONPATH": str(HERE),
            "dramatiq_restart_delay": "200",
            **environment,
        }
        command = [sys.executable, "-m", "intervai_shared.work", "counting_worker"]
        self.log = folder / f"{self.port}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, env={**os.environ, **own}, stdout=out, stderr=out)

    def health(self) -> tuple[int, Any]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=5)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def wait_ready(self) -> None:
        ends = time.monotonic() + 30
        while self.health()[0] != 200:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.05)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Desk:
    """What a service's API does for its worker: adds jobs, and looks at them."""

    def __init__(self, mongo: Mongo, redis: Redis, service: str) -> None:
        self.db = mongo.db
        self.outbox = Outbox(mongo, redis, service)
        self.dead_letters = DeadLetters(mongo.db, self.outbox, LiveUpdates(redis, service))

    async def add(self, how: str, actor: str = "do_job", *, bulk: bool = False) -> ObjectId:
        """A job and its message, in one transaction."""
        job = JobRecords.new("probe", ObjectId(), how=how)

        async def body(session: Session) -> None:
            await self.db.jobs.insert_one(job, session=session)
            await self.outbox.add_job(session, actor, "jobs", str(job["_id"]), bulk=bulk)

        await self.outbox.transaction(body)
        return ObjectId(job["_id"])

    async def let_go_on(self, job_id: ObjectId) -> None:
        """Ends the wait of a job whose `how` is `wait`."""
        await self.db.flags.insert_one({"_id": job_id})

    async def status(self, job_id: ObjectId) -> str:
        job = await self.db.jobs.find_one({"_id": job_id})
        assert job
        return str(job["status"])

    async def attempts(self, job_id: ObjectId) -> list[int]:
        """The runs of a job, by attempt."""
        return [run["attempt"] async for run in self.db.runs.find({"job": job_id}).sort("_id")]

    async def letters(self, **where: Any) -> list[Document]:
        """The dead letters, the oldest first."""
        found: list[Document] = await self.db.dead_letters.find(where).sort("diedAt").to_list()
        return found

    async def done_events(self, job_id: ObjectId) -> int:
        """How often the event of its end was applied."""
        found = await self.db.done.find_one({"_id": str(job_id)})
        return int(found["count"]) if found else 0


@pytest.fixture
def desk(mongo: Mongo, redis: Redis, service: str) -> Desk:
    return Desk(mongo, redis, service)


@pytest.fixture
def start_worker(settings: ServiceSettings, mongo: Mongo, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes; they are killed at the end."""
    started: list[WorkerProcess] = []

    def start(other: ServiceSettings | None = None, *, ready: bool = True, **environment: str) -> WorkerProcess:
        started.append(WorkerProcess(tmp_path, other or settings, **environment))
        if ready:
            started[-1].wait_ready()
        return started[-1]

    yield start
    for worker in started:
        worker.end()


@pytest.fixture
def queued(redis: Redis, service: str) -> Callable[..., Any]:
    """The messages in a queue of the test's service, oldest first."""

    async def read(queue: str, of_service: str = service) -> list[Message[Any]]:
        name = "{intervai-" + of_service + "}:" + queue
        ids = await redis.lrange(name, 0, -1)
        return [Message.decode(data) for data in await redis.hmget(f"{name}.msgs", ids)] if ids else []

    return read
