"""What goes on while instances are replaced, beside the load: jobs, streams of events, slow uploads."""

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.support import events_of

QUESTIONS = 3
#: The offline model knows ten questions of each, and nobody gets one twice.
TOPICS = (
    "CI/CD", "Concurrency", "Data engineering", "Docker", "Go", "Java", "JavaScript", "Kubernetes", "Machine learning",
    "Microservices", "MongoDB", "Node.js", "Observability", "PostgreSQL", "Python", "React", "SQL", "Testing",
)  # fmt: skip
#: Seconds between two slow uploads: some are always at work.
UPLOAD_SECONDS = 1.0
#: Seconds that an upload takes: longer than a drain (2 s), so that it is still at work when its instance closes.
SLOW_SECONDS = 5
#: Seconds after which a client of an event stream comes back; browsers take some 3.
BACK_SECONDS = 0.5
#: Seconds for which a request is sent again: a key that was cut off is free again after a minute.
AGAIN_SECONDS = 90.0
FINAL = {"succeeded", "failed", "cancelled"}
Event = dict[str, Any]


@dataclass
class Stream:
    """A stream of events as a browser follows it: when it ends it comes back, with the id of the last event."""

    http: httpx.AsyncClient
    path: str
    events: list[Event] = field(default_factory=list)
    opened: int = 0
    faults: list[str] = field(default_factory=list)

    async def follow(self) -> None:
        """Until a final event, or until cancelled."""
        while not (self.events and self.events[-1]["event"] in FINAL):
            if self.opened:
                await asyncio.sleep(BACK_SECONDS)
            await self._once()

    async def _once(self) -> None:
        headers = {"Last-Event-ID": self.events[-1]["id"]} if self.events else {}
        self.opened += 1
        try:
            async with self.http.stream("GET", self.path, headers=headers, timeout=60) as answer:
                if answer.status_code != 200:
                    self.faults.append(str(answer.status_code))
                async for event in events_of(answer):
                    self.events.append(event)
        except httpx.HTTPError as error:
            self.faults.append(repr(error))


async def create(http: httpx.AsyncClient, content: Callable[[], bytes | AsyncIterator[bytes]]) -> httpx.Response:
    """The answer to a new session. Where a part is too busy (503, and 409 while the first try counts as being handled)
    it is sent again with the same key, as good clients do; the load beside it does not, and forgives nothing."""
    headers = {"Idempotency-Key": secrets.token_hex(8), "Content-Type": "application/json"}
    deadline = time.monotonic() + AGAIN_SECONDS
    while True:
        answer = await http.post("/api/v1/sessions", content=content(), headers=headers, timeout=60)
        if answer.status_code not in {409, 503} or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(2)


@dataclass
class Jobs:
    """Generations that one person starts all the time, `pause` seconds between two, each followed live to its end."""

    http: httpx.AsyncClient
    pause: float
    started: dict[str, Stream] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def run(self, over: asyncio.Event) -> None:
        """Until `over`, and until each has ended."""
        async with asyncio.TaskGroup() as tasks:
            for topic in itertools.cycle(TOPICS):
                if over.is_set():
                    return
                tasks.create_task(self._one(topic))
                await asyncio.sleep(self.pause)

    async def _one(self, topic: str) -> None:
        body = {"role": "Backend engineer", "experience": "mid", "topics": [topic], "questionCount": QUESTIONS}
        answer = await create(self.http, lambda: json.dumps(body).encode())
        if answer.status_code != 201:
            self.faults.append(f"{answer.status_code} {answer.text}")
            return
        session = answer.json()
        stream = Stream(self.http, f"/api/v1/jobs/{session['generation']['jobId']}/events")
        self.started[session["id"]] = stream
        await stream.follow()


@dataclass
class Uploads:
    """New sessions whose request comes in drop by drop, by the internal entry point: the public one has it whole before
    a service gets it."""

    internal_url: str
    token: str
    statuses: list[int | str] = field(default_factory=list)

    async def run(self, over: asyncio.Event) -> None:
        """Until `over`, and until each has its answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        url = f"{self.internal_url}/qa-service"
        async with (
            httpx.AsyncClient(base_url=url, headers=headers, timeout=60, verify=False) as http,  # noqa: S501
            asyncio.TaskGroup() as tasks,
        ):
            for number in itertools.count():
                if over.is_set():
                    return
                tasks.create_task(self._one(http, f"slow {number}"))
                await asyncio.sleep(UPLOAD_SECONDS)

    async def _one(self, http: httpx.AsyncClient, title: str) -> None:
        body = {"role": "Tester", "experience": "mid", "topics": ["SQL"], "generate": False, "title": title}
        try:
            answer = await create(http, lambda: _drops(json.dumps(body)))
            self.statuses.append(answer.status_code)
        except httpx.HTTPError as error:
            self.statuses.append(repr(error))


async def _drops(text: str) -> AsyncIterator[bytes]:
    """The text in five pieces, in SLOW_SECONDS."""
    size = -(-len(text) // 5)
    for start in range(0, len(text), size):
        yield text[start : start + size].encode()
        await asyncio.sleep(SLOW_SECONDS / 5)
