"""`/health/live`, `/health/ready` and `/metrics`: the same on every process, never public."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[object]]

#: Seconds after which a part that does not answer counts as down.
CHECK_TIMEOUT_SECONDS = 1.0
#: Seconds after which its check is given up, and a new one begun; longer than the time-outs of the parts.
CHECK_ENDS_SECONDS = 15.0
HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


class Health:
    """The parts that this process uses, by name, and whether it is on its way out."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._running: dict[str, asyncio.Task[str]] = {}
        self._needed: set[str] = set()
        self.draining = False
        #: The drain is over, nobody sends requests here any more: what never ends by itself must end now.
        self.closing = False

    def add(self, name: str, check: Check, *, needed: bool) -> None:
        """A part. Without a `needed` one the process must get no traffic; without another it still does most things,
        and taking all its twins out as well would make an outage of it."""
        self._checks[name] = check
        if needed:
            self._needed.add(name)

    async def ready(self) -> tuple[str, dict[str, str]]:
        """`ready`, `degraded` or `not ready`, and the state of each part: `ok` or why not. A process that drains says
        so at once: each request that still comes is one to be finished."""
        if self.draining:
            return "not ready", {"process": "draining"}
        states = await asyncio.gather(*(self._state(name) for name in self._checks))
        parts = dict(zip(self._checks, states, strict=True))
        if any(parts[name] != "ok" for name in self._needed):
            return "not ready", parts
        return "ready" if all(state == "ok" for state in parts.values()) else "degraded", parts

    async def _state(self, name: str) -> str:
        """One check of a part at a time, however often it is asked: the gateway asks each second, and the checks of a
        part that is silent would take all threads or connections that the process has."""
        if (running := self._running.get(name)) is None or running.done():
            running = self._running[name] = asyncio.create_task(_outcome(self._checks[name]))
        await asyncio.wait({running}, timeout=CHECK_TIMEOUT_SECONDS)
        return running.result() if running.done() else "TimeoutError"


async def _outcome(check: Check) -> str:
    started = time.monotonic()
    try:
        async with asyncio.timeout(CHECK_ENDS_SECONDS):
            await check()
    except Exception as error:
        return f"{type(error).__name__}"
    # Also for who asks when it is nearly over: else a slow part would seem now well, now ill.
    return "ok" if time.monotonic() - started <= CHECK_TIMEOUT_SECONDS else "TimeoutError"


def health_routes(health: Callable[[Request], Health]) -> list[Route]:
    """The three routes; `health` finds the state of the process, which exists only after start-up."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        status, checks = await health(request).ready()
        return JSONResponse({"status": status, "checks": checks}, 503 if status == "not ready" else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/health/live", live, name="live"),
        Route("/health/ready", ready, name="ready"),
        Route("/metrics", metrics, name="metrics"),
    ]
