"""What requests, generations and exports take of a running suite: CPU of each process, bytes in Mongo, Redis and S3.

`make bench TARGET=capacity` runs it (`RATE_LIMIT_SCALE=0 make up` before, one instance of each); PEOPLE, ROUNDS, SETS
and FILES change how much it does. The planner reckons with its figures (measured.yaml in deploy/capacity).
CPU is user and system time of a process and its children, so it does not depend on what else the machine does. Bytes of
Mongo are those of the BSON documents and, roughly, of the keys of their indexes: what an Atlas M0 counts.
"""

import asyncio
import itertools
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import bson
import httpx
import psutil
from pymongo import MongoClient
from redis import Redis
from rich.console import Console

from intervai_local.lifecycle import Suite
from intervai_local.state import SERVICES, State

PEOPLE, ROUNDS, SETS, FILES = (
    int(os.environ.get(name, default))
    for name, default in (("PEOPLE", "60"), ("ROUNDS", "1500"), ("SETS", "40"), ("FILES", "40"))
)
#: A rendering process ends 3 s after its last file; until then its CPU counts as a child's.
SETTLE_SECONDS = 5
AT_ONCE = 4
IDLE_SECONDS = 30
PATIENCE = 10
#: Less is not shown.
WORTH_MS = 0.005
CONSOLE = Console(soft_wrap=True, highlight=False)
#: A key of an index, beside its values: record id and page.
INDEX_ENTRY_BYTES = 12
Http = httpx.AsyncClient
Act = Callable[[int], Awaitable[Any]]


def processes() -> dict[str, psutil.Process]:
    """The processes of the suite that STATE_DIR names, by name."""
    suite = Suite(State(Path(os.environ["STATE_DIR"])), Console(stderr=True))
    return {name: psutil.Process(pids[-1]) for name, pids in suite.supervisor.pids().items() if pids}


def cpu_ms(process: psutil.Process) -> float:
    """User and system time of a process, of its children, and of those that it has outlived, in ms."""
    times = process.cpu_times()
    own = times.user + times.system + times.children_user + times.children_system
    children = sum(t.user + t.system for t in (child.cpu_times() for child in process.children(recursive=True)))
    return float(own + children) * 1000


def rss_mb(process: psutil.Process) -> float:
    """With its children, in MiB."""
    members = [process, *process.children(recursive=True)]
    return float(sum(member.memory_info().rss for member in members)) / 2**20


def stored() -> dict[str, int]:
    """Bytes of documents and index keys, by `database.collection`."""
    sizes = {}
    with MongoClient[dict[str, Any]](os.environ["MONGO_URI"]) as mongo:
        for service in SERVICES:
            database = mongo["intervai_" + service.removesuffix("-service")]
            for name in database.list_collection_names():
                keys = [[part for part, _ in index["key"]] for index in database[name].index_information().values()]
                documents = list(database[name].find())
                sizes[f"{service}.{name}"] = sum(
                    len(bson.encode(document)) + sum(entry_bytes(document, parts) for parts in keys)
                    for document in documents
                )
    return sizes


def entry_bytes(document: dict[str, Any], parts: list[str]) -> int:
    """Of one document in one index, roughly."""
    return len(bson.encode({str(n): document.get(part) for n, part in enumerate(parts)})) + INDEX_ENTRY_BYTES


def redis_bytes() -> int:
    """What Redis uses, less what it has used since its start."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    info: dict[str, Any] = redis.info("memory")  # type: ignore[assignment]
    return int(info["used_memory_dataset"])


class Bench:
    """Does things so many times and notes what each took."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.people: list[dict[str, str]] = []
        self.sessions: list[tuple[str, dict[str, str]]] = []
        self.processes = processes()
        self.idle: dict[str, float] = {}

    async def take(self, what: str, times: int, act: Act) -> None:
        """Runs it `times` times, a few at a time, and prints what each took."""
        before, used, held = {n: cpu_ms(p) for n, p in self.processes.items()}, stored(), redis_bytes()
        todo = itertools.count()

        async def some() -> None:
            while (number := next(todo)) < times:
                await act(number)

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - started
        await asyncio.sleep(SETTLE_SECONDS)
        idle = {n: rate * (time.perf_counter() - started) for n, rate in self.idle.items()}
        spent = {n: (cpu_ms(p) - before[n] - idle[n]) / times for n, p in self.processes.items()}
        grown = {name: size - used.get(name, 0) for name, size in stored().items()}
        most = sorted(grown, key=lambda name: -grown[name])[:6]
        CONSOLE.print(f"[bold]{what}[/], {times} times in {seconds:.0f} s; of each:")
        CONSOLE.print("  CPU ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in spent.items() if ms > WORTH_MS))
        CONSOLE.print(f"  bytes: Mongo {sum(grown.values()) / times:.0f}, Redis {(redis_bytes() - held) / times:.0f}")
        CONSOLE.print("  Mongo: " + ", ".join(f"{name} {grown[name] / times:.0f}" for name in most if grown[name]))

    async def rest(self) -> None:
        """Learns what the processes use when nobody asks for anything: the other figures are without it."""
        before = {name: cpu_ms(process) for name, process in self.processes.items()}
        await asyncio.sleep(IDLE_SECONDS)
        self.idle = {name: (cpu_ms(process) - before[name]) / IDLE_SECONDS for name, process in self.processes.items()}
        CONSOLE.print("idle, CPU ms a second: " + ", ".join(f"{name} {ms:.1f}" for name, ms in self.idle.items()))

    async def register(self, __: int) -> None:
        """A new person: a 503 may have been in time all the same, so each try has an address of its own."""
        for _ in range(PATIENCE):
            person = {"email": f"{secrets.token_hex(8)}@example.com", "fullName": "Ada Lovelace"}
            body = {**person, "password": secrets.token_hex(8)}
            answer = await self.http.post("/api/v1/auth/register", json=body)
            if answer.status_code == 201:
                break
        token = answer.raise_for_status().json()["accessToken"]
        self.people.append({"Authorization": f"Bearer {token}"})

    async def generate(self, number: int) -> None:
        """A session with ten questions, of a wish that nobody else has."""
        wish = {"role": f"Engineer {secrets.token_hex(4)}", "experience": "senior", "topics": ["Python", "SQL"]}
        person = self.people[number % len(self.people)]
        made = await self.send("POST", "/api/v1/sessions", person, wish)
        await self.ended(f"/api/v1/jobs/{made['generation']['jobId']}", person)
        self.sessions.append((made["id"], person))

    async def export(self, number: int) -> None:
        """A PDF of a session."""
        session, person = self.sessions[number % len(self.sessions)]
        made = await self.send("POST", "/api/v1/exports", person, {"sessionId": session, "format": "pdf"})
        ready = await self.ended(f"/api/v1/exports/{made['id']}", person)
        self.file_bytes = int(ready["sizeBytes"])

    async def profile(self, number: int) -> None:
        """As the cache has it."""
        await self.send("GET", "/api/v1/users/me", self.people[number % len(self.people)])

    async def questions(self, number: int) -> None:
        """A page of a session's questions."""
        session, person = self.sessions[number % len(self.sessions)]
        await self.send("GET", f"/api/v1/sessions/{session}/questions", person)

    async def pin(self, number: int) -> None:
        """A change of a question."""
        session, person = self.sessions[number % len(self.sessions)]
        listed = await self.send("GET", f"/api/v1/sessions/{session}/questions", person)
        await self.send("PATCH", f"/api/v1/questions/{listed['items'][0]['id']}", person, {"isPinned": number % 2 == 0})

    async def send(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
        """The body of an answer that is good. A machine that is busy with other things may make it 503: once more."""
        for _ in range(PATIENCE):
            answer = await self.http.request(method, path, headers=headers, json=body)
            if answer.status_code != 503:
                break
            await asyncio.sleep(1)
        return answer.raise_for_status().json()

    async def ended(self, path: str, person: dict[str, str]) -> Any:
        """Polls once a second until a job has ended, as a client without the event stream does."""
        job = await self.send("GET", path, person)
        while job["status"] in {"queued", "running"}:
            await asyncio.sleep(1)
            job = await self.send("GET", path, person)
        if job["status"] not in {"succeeded", "ready"}:
            raise RuntimeError(f"{path}: {job}")
        return job


async def bench() -> None:
    """All of it, with the memory before and after."""
    async with Http(base_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}", timeout=60) as http:
        run = Bench(http)
        show_memory("at rest", run.processes)
        await run.rest()
        await run.take("person registered", PEOPLE, run.register)
        await run.take("profile read", ROUNDS, run.profile)
        await run.take("ten questions made", SETS, run.generate)
        await run.take("list of questions read", ROUNDS, run.questions)
        await run.take("list read, question pinned", ROUNDS // 5, run.pin)
        await run.take("PDF made", FILES, run.export)
        show_memory("after it", run.processes)
    CONSOLE.print(f"a PDF of ten questions: {run.file_bytes} bytes in S3")


def show_memory(when: str, processes: dict[str, psutil.Process]) -> None:
    """Of every process, in MiB."""
    CONSOLE.print(f"MiB {when}: " + ", ".join(f"{name} {rss_mb(process):.0f}" for name, process in processes.items()))


if __name__ == "__main__":
    try:
        asyncio.run(bench())
    except httpx.HTTPStatusError as failed:
        sys.exit(f"{failed.request.url} answered {failed.response.text}")
