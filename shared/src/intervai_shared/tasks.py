"""Background tasks of a process: kept referenced, logged when they die, run again, cancelled at its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from intervai_shared.logs import log

#: Seconds before a background loop that failed starts again.
RESTART_SECONDS = 1.0
#: Seconds after which a task that has not ended is cancelled again.
CANCEL_SECONDS = 0.2


def is_to_end() -> bool:
    """Whether the current task has been cancelled, also if nothing has told it so: `asyncio.wait_for`, with which the
    drivers of Mongo and Redis wait, swallows a cancellation that comes just when it is done
    (https://github.com/python/cpython/issues/86296). Who loops for ever asks this."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def keep_running(name: str, body: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `body` beside the `async with` block, again after each failure, until the block ends."""
    task = asyncio.create_task(_forever(name, body), name=name)
    try:
        yield
    finally:
        while not task.done():  # once is not enough: see `is_to_end`
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)


async def _forever(name: str, body: Callable[[], Awaitable[None]]) -> None:
    while not is_to_end():  # a clean-up that fails raises in place of the cancellation
        try:
            await body()
        except Exception as error:
            log.warning("background task failed, starts again", task=name, error=repr(error))
        await asyncio.sleep(RESTART_SECONDS)
