"""An API process: the application on one embedded Granian server, with a drain before its end."""

import asyncio
import math
import signal
import time

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from intervai_shared.http.health import HEALTH_PATHS
from intervai_shared.logs import log
from intervai_shared.settings import ServiceSettings

#: Seconds that requests in flight get to end after the listener has closed.
FINISH_SECONDS = 15
#: Seconds without a new request after which the gateway has surely noticed.
QUIET_SECONDS = 0.5
#: Seconds that a drain lasts longer at most while requests still come: a probe may be late on a busy machine.
LATE_SECONDS = 5


async def serve(app: FastAPI) -> int:
    """Serves in this one process; the exit status.

    On a signal it first reports 'not ready' and goes on serving for `drain_seconds`, and a little longer while there
    are new requests: the gateway sends them until its probe has noticed (traefik #4452).
    """
    settings: ServiceSettings = app.state.settings
    arrivals = Arrivals(app)
    server = Server(
        arrivals,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=1024,
        log_access=False,
        log_enabled=False,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        stopping.cancel()
        log.error("the server ended by itself", error=repr(serving.exception()) if serving.done() else "")
        return 1
    await _drain(app, arrivals, settings.drain_seconds)
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({serving}, timeout=FINISH_SECONDS)
    return 0


class Arrivals:
    """Passes requests on, and knows how long ago the last one came; those of probes do not count."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._last = -math.inf

    @property
    def quiet_seconds(self) -> float:
        return time.monotonic() - self._last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in HEALTH_PATHS:
            self._last = time.monotonic()
        await self._app(scope, receive, send)


async def _drain(app: FastAPI, arrivals: Arrivals, seconds: float) -> None:
    container = getattr(app.state, "container", None)
    if container is None:  # the signal came before the start was over
        return
    log.info("draining", seconds=seconds)
    health, began = container.resources.health, time.monotonic()
    health.draining = True
    await asyncio.sleep(seconds)
    latest = began + seconds + LATE_SECONDS
    while arrivals.quiet_seconds < QUIET_SECONDS and time.monotonic() < latest:  # noqa: ASYNC110
        await asyncio.sleep(QUIET_SECONDS / 5)
    health.closing = True
    log.info("closing", seconds=round(time.monotonic() - began, 1))
