"""Processes that render files: CPU work stays off the event loop, and its memory goes back when it is done."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager

from export_service.renderers import render
from export_service.renderers.content import Content
from intervai_shared.logs import log

#: Files after which a process is replaced: typst keeps what it has memoized, some 100 MB after a dozen documents.
FILES_PER_PROCESS = 25
#: Seconds without work after which the processes end.
IDLE_SECONDS = 3.0


class RenderPool:
    """Started by the first file, ended when there is nothing to do. `processes` files are rendered at a time."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._executor: ProcessPoolExecutor | None = None
        self._under_way = 0
        self._idle: asyncio.TimerHandle | None = None

    async def render(self, kind: str, content: Content) -> bytes:
        """The file of a format.

        Raises:
            BrokenProcessPool: a process died; the next call starts new ones.
            Exception: what the renderer raised.
        """
        self._under_way += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._started(), render, kind, content)
        except BrokenProcessPool:
            log.error("a rendering process died", format=kind)
            self.close()
            raise
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)

    def close(self) -> None:
        """Ends the processes after what they are at."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # Spawned, not forked: a fork would copy this process with its threads and connections.
            spawn = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(
                self._processes, mp_context=spawn, max_tasks_per_child=FILES_PER_PROCESS
            )
        return self._executor


@asynccontextmanager
async def open_pool(processes: int) -> AsyncIterator[RenderPool]:
    """A pool for the life of a worker process."""
    pool = RenderPool(processes)
    try:
        yield pool
    finally:
        pool.close()
