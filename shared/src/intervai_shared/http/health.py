"""`/health/live`, `/health/ready` and `/metrics`: the same on every process, never public."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[object]]

#: Seconds after which a part that does not answer counts as down.
CHECK_TIMEOUT_SECONDS = 1.0
HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


class Health:
    """What this process needs to do its work, by name, and whether it is on its way out."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self.draining = False

    def add(self, name: str, check: Check) -> None:
        """One more part that this process cannot work without."""
        self._checks[name] = check

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether to send work here, and the state of each part: `ok` or why not."""
        states = await asyncio.gather(*(_state(check) for check in self._checks.values()))
        parts = dict(zip(self._checks, states, strict=True))
        if self.draining:
            parts["process"] = "draining"
        return all(state == "ok" for state in parts.values()), parts


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
        good, checks = await health(request).ready()
        return JSONResponse({"status": "ready" if good else "not ready", "checks": checks}, 200 if good else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/health/live", live, name="live"),
        Route("/health/ready", ready, name="ready"),
        Route("/metrics", metrics, name="metrics"),
    ]
