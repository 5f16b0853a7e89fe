"""Runs the scheduler process: `python -m intervai_shared.schedule`. Any number may run; one leads."""

import asyncio
import signal

from intervai_shared.launch import without_terminal

without_terminal()

import uvloop  # noqa: E402

from intervai_shared import logs, redis  # noqa: E402
from intervai_shared.http.health import Health  # noqa: E402
from intervai_shared.http.health_server import serve_health  # noqa: E402
from intervai_shared.logs import log  # noqa: E402
from intervai_shared.scheduling.scheduler import Scheduler  # noqa: E402
from intervai_shared.scheduling.settings import SchedulerSettings  # noqa: E402
from intervai_shared.settings import load_settings  # noqa: E402
from intervai_shared.tasks import keep_running  # noqa: E402


async def run(settings: SchedulerSettings) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client, health = redis.connect(settings), Health()
    health.add("redis", client.ping, needed=True)
    scheduler = Scheduler(settings, client)
    try:
        async with (
            keep_running("health", lambda: serve_health(settings, lambda: health)),
            keep_running("scheduler", scheduler.run),
        ):
            log.info("scheduler started")
            await stop.wait()
            health.draining = True
    finally:
        await client.aclose()


def main() -> None:
    """Reads the settings from the environment."""
    settings = load_settings(SchedulerSettings)
    logs.configure(settings.service, settings.log_level)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
