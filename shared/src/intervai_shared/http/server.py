"""An API process: the application on one embedded Granian server, with a drain before its end."""

import asyncio
import signal

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server

from intervai_shared.logs import log
from intervai_shared.settings import ServiceSettings

#: Seconds that requests in flight get to end after the listener has closed.
FINISH_SECONDS = 15


async def serve(app: FastAPI) -> int:
    """Serves in this one process; the exit status.

    On a signal it first reports 'not ready' and goes on serving for `drain_seconds`: the gateway sends requests until
    its probe has noticed (traefik #4452).
    """
    settings: ServiceSettings = app.state.settings
    server = Server(
        app,
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
    await _drain(app, settings.drain_seconds)
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({serving}, timeout=FINISH_SECONDS)
    return 0


async def _drain(app: FastAPI, seconds: float) -> None:
    container = getattr(app.state, "container", None)
    if container is None:  # the signal came before the start was over
        return
    log.info("draining", seconds=seconds)
    container.resources.health.draining = True
    await asyncio.sleep(seconds)
