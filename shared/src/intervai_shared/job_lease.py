"""Keeps the lease of a job while it is at work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bson import ObjectId
from pymongo.errors import PyMongoError

from intervai_shared.logs import log
from intervai_shared.tasks import is_to_end


class LostLeaseError(Exception):
    """The job was cancelled, or another worker has it: this run must not write any more."""


@asynccontextmanager
async def renewed(job_id: ObjectId, renew: Callable[[], Awaitable[None]], seconds: float) -> AsyncIterator[None]:
    """Renews the lease every so many seconds while the block runs, and stops the block when it is lost.

    Raises:
        LostLeaseError: `renew` has raised it.
    """
    worker = asyncio.current_task()
    lost = False

    async def keep() -> None:
        nonlocal lost
        while not is_to_end():
            await asyncio.sleep(seconds)
            try:
                await renew()
            except LostLeaseError:
                lost = True
                if worker is not None:
                    worker.cancel()
                return
            except PyMongoError as error:
                log.warning("lease not renewed", jobId=str(job_id), error=repr(error))

    task = asyncio.create_task(keep())
    try:
        yield
    except asyncio.CancelledError:
        if lost:
            raise LostLeaseError from None
        raise
    finally:
        task.cancel()
