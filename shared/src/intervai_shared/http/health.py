"""`/health/live`, `/health/ready` and `/metrics`: the same on every process, never public."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[object]]

#: Seconds after which a part that does not answer counts as down.
CHECK_TIMEOUT_SECONDS = 1.0
HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


class Health:
    """The parts that this process uses, by name, and whether it is on its way out."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._needed: set[str] = set()
        self.draining = False

    def add(self, name: str, check: Check, *, needed: bool) -> None:
        """A part. Without a `needed` one the process must get no traffic; without another it still does most things,
        and taking all its twins out as well would make an outage of it."""
        self._checks[name] = check
        if needed:
            self._needed.add(name)

    async def ready(self) -> tuple[str, dict[str, str]]:
        """`ready`, `degraded` or `not ready`, and the state of each part: `ok` or why not."""
        states = await asyncio.gather(*(_state(check) for check in self._checks.values()))
        parts = dict(zip(self._checks, states, strict=True))
        if self.draining or any(parts[name] != "ok" for name in self._needed):
            return "not ready", {**parts, "process": "draining"} if self.draining else parts
        return "ready" if all(state == "ok" for state in parts.values()) else "degraded", parts


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:
        return f"{type(error).__name__}"
    return "ok"


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
