"""The health routes of a process that has no API: a worker's, the scheduler's."""

import asyncio
from collections.abc import Callable

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from intervai_shared.http.health import Health, health_routes
from intervai_shared.settings import ProcessSettings


async def serve_health(settings: ProcessSettings, health: Callable[[], Health]) -> None:
    """Serves them on the process's port until cancelled."""
    server = Server(
        Starlette(routes=health_routes(lambda _: health())),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_access=False,
        log_enabled=False,
    )
    try:
        await server.serve()
    except asyncio.CancelledError:
        server.stop()  # type: ignore[no-untyped-call]
        raise
