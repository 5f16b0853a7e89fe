"""Runs the offline model: `python -m offline_llm`."""

import asyncio
import signal

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from offline_llm.server import create_app
from offline_llm.settings import OfflineSettings


async def serve(settings: OfflineSettings) -> None:
    """Serves until SIGTERM or SIGINT."""
    server = Server(
        create_app(settings),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(OfflineSettings()))
