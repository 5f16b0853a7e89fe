"""Background tasks of a process: kept referenced, logged when they die, run again, cancelled at its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from intervai_shared.logs import log

#: Seconds before a background loop that failed starts again.
RESTART_SECONDS = 1.0


@asynccontextmanager
async def keep_running(name: str, body: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `body` beside the `async with` block, again after each failure, until the block ends."""
    task = asyncio.create_task(_forever(name, body), name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forever(name: str, body: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await body()
        except Exception as error:
            log.warning("background task failed, starts again", task=name, error=repr(error))
        await asyncio.sleep(RESTART_SECONDS)
