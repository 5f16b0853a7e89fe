"""Open-loop load: requests arrive at a fixed rate, whether or not the ones before have been answered.

A closed loop sends its next request after the last answer, so it slows down exactly when the system does, and a gap of
a second costs it one request (Schroeder and others, 'Open Versus Closed: A Cautionary Tale', NSDI 2006).
"""

import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

#: Seconds until a request without an answer counts as failed: long, since a busy machine is no failure.
PATIENCE_SECONDS = 60.0
#: Requests that are open at most. Past it arrivals wait, so that a machine too slow for the rate only lowers it: there
#: the loop is closed after all.
MOST_OPEN = 100
SESSION = {"role": "Backend engineer", "experience": "senior", "topics": ["Python"], "generate": False}


@dataclass(frozen=True)
class Request:
    """One request of the mix, by one person, and the status of its good answer."""

    method: str
    path: str
    token: str
    status: int = 200
    body: dict[str, Any] | None = None


@dataclass
class Result:
    """What came of a load. `seconds` to each good answer; `created`: sessions that were answered 201, by token."""

    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    by_route: Counter[str] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Requests sent a second."""
        return self.sent / max(self.ended - self.began, 1e-9)

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the good answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def mix(tokens: Sequence[str]) -> Iterator[Request]:
    """For ever: seven reads of all four services and three writes, of one person after the other."""
    for number, token in enumerate(itertools.cycle(tokens)):
        wish = {"defaultExportFormat": "md" if number % 2 else "pdf"}
        yield Request("GET", "/api/v1/users/me", token)
        yield Request("GET", "/api/v1/sessions", token)
        yield Request("GET", "/api/v1/analytics/trending", token)
        yield Request("GET", "/api/v1/exports", token)
        yield Request("POST", "/api/v1/sessions", token, 201, SESSION)
        yield Request("GET", "/api/v1/users/me", token)
        yield Request("GET", "/.well-known/jwks.json", token)
        yield Request("PATCH", "/api/v1/users/me", token, 200, {"fullName": f"Ada {number} Lovelace"})
        yield Request("GET", "/api/v1/sessions?limit=5", token)
        yield Request("PUT", "/api/v1/users/me/preferences", token, 200, wish)


def reads(tokens: Sequence[str]) -> Iterator[Request]:
    """For ever: reads that cost little, so that more of them fit on a machine; four of ten go to qa-service."""
    for token in itertools.cycle(tokens):
        for path in ("/api/v1/analytics/trending", "/api/v1/users/me", "/.well-known/jwks.json") * 3:
            yield Request("GET", path, token)
        yield Request("GET", "/api/v1/sessions?limit=5", token)


#: By the names that the bench takes.
MIXES = {"all": mix, "reads": reads}


class Load:
    """Sends `rate` requests a second of a mix to the gateway at `url`, until `stop` is called. `result` is what comes
    of those that are sent from now on."""

    def __init__(self, url: str, tokens: Sequence[str], rate: float, of: str = "all") -> None:
        # One for each person: for each request httpx asks every open connection of its pool whether it still is one.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_OPEN // len(tokens))
        self._https = {
            token: httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=limits, verify=False)  # noqa: S501
            for token in tokens
        }
        self._requests = MIXES[of](tokens)
        self._rate = rate
        self._stopped = asyncio.Event()
        self._open = asyncio.Semaphore(MOST_OPEN)
        self.result = Result()

    async def find_rate(self, share: float, most: float) -> float:
        """Sets the rate to this share of what the machine carries now, by a few requests, four at a time."""
        began, count = time.monotonic(), 40
        for _ in range(count // 4):
            await asyncio.gather(*(self._send(next(self._requests), self.result) for _ in range(4)))
        self._rate = min(most, share * count / (time.monotonic() - began))
        self.result.sent += count
        return self._rate

    def next_phase(self) -> Result:
        """The result until now; what is sent from now on has another."""
        done, self.result = self.result, Result()
        done.ended = time.monotonic()
        return done

    def stop(self) -> None:
        """No further request is sent; `run` ends when the open ones are answered."""
        self._stopped.set()

    async def run(self) -> Result:
        """Returns when it was stopped and everything has its answer."""
        async with AsyncExitStack() as clients, asyncio.TaskGroup() as tasks:
            for http in self._https.values():
                clients.push_async_callback(http.aclose)
            began = time.monotonic()
            for number in itertools.count():
                if (wait := began + number / self._rate - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                await self._open.acquire()
                if self._stopped.is_set():
                    break
                tasks.create_task(self._send(next(self._requests), self.result)).add_done_callback(self._end)
                self.result.sent += 1
            self.result.ended = time.monotonic()
        return self.result

    def _end(self, _: asyncio.Task[None]) -> None:
        self._open.release()

    async def _send(self, request: Request, result: Result) -> None:
        headers = {"Authorization": f"Bearer {request.token}"}
        if request.method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(8)
        route, began = f"{request.method} {request.path}", time.monotonic()
        try:
            answer = await self._https[request.token].request(
                request.method, request.path, json=request.body, headers=headers
            )
        except httpx.HTTPError as error:
            result.failures[f"{route}: {type(error).__name__}"] += 1
            return
        if answer.status_code != request.status:
            result.failures[f"{route}: {answer.status_code} {answer.text[:200]}"] += 1
            return
        result.seconds.append(time.monotonic() - began)
        result.by_route[route] += 1
        result.created[request.token] += request.status == 201
