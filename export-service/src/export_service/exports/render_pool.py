"""Processes that render files: CPU work stays off the event loop, its memory is bounded and goes back when it is done,
and what renders people's text knows no secret of ours."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from export_service.exports.render_process import RenderProcess, start
from export_service.renderers.content import Content

COMMAND = (sys.executable, "-I", "-m", "export_service.renderers.process")
#: Files after which a process is replaced: typst keeps what it has memoized, some 100 MB after a dozen documents.
FILES_PER_PROCESS = 25
#: Seconds without work after which the processes end.
IDLE_SECONDS = 3.0
MEMORY_MB = 2048


class RenderPool:
    """Started by the first file, ended when there is nothing to do. `processes` files are rendered at a time; `seconds`
    and `memory_mb` (MiB) are what one may take."""

    def __init__(
        self, processes: int, seconds: float, command: Sequence[str] = COMMAND, memory_mb: int = MEMORY_MB
    ) -> None:
        self._turn = asyncio.Semaphore(processes)
        self._seconds = seconds
        self._command = (*command, str(memory_mb))
        self._all: set[RenderProcess] = set()
        self._idle: list[RenderProcess] = []
        self._timer: asyncio.TimerHandle | None = None

    async def render(self, kind: str, content: Content) -> AsyncGenerator[bytes, None]:
        """The file of a format, in pieces of at most 256 KiB. Its process is free for the next one when the last piece
        has been taken; one that was cut short is ended, and the next file gets a new one. So who may stop early closes
        the iterator (`contextlib.aclosing`).

        Raises:
            RenderError: see there; MemoryLimitError is one.
            TimeoutError: it took too long. Waiting for who takes the pieces does not count.
        """
        async with self._turn:
            process = await self._take()
            try:
                await process.ask(kind, content, self._seconds)
                while piece := await process.piece():
                    yield piece
            finally:
                self._put_back(process)

    async def close(self) -> None:
        """Ends the processes, whatever they are at."""
        if self._timer is not None:
            self._timer.cancel()
        self._idle.clear()
        for process in self._all:
            process.end()
        await asyncio.gather(*(process.process.wait() for process in self._all))
        self._all.clear()

    async def _take(self) -> RenderProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_ready:
                return process
            self._drop(process)
        process = RenderProcess(await start(self._command))
        self._all.add(process)
        return process

    def _put_back(self, process: RenderProcess) -> None:
        if not process.is_ready or process.files >= FILES_PER_PROCESS:
            return self._drop(process)
        self._idle.append(process)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)
        return None

    def _end_idle(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, process: RenderProcess) -> None:
        process.end()
        self._all.discard(process)


@asynccontextmanager
async def open_pool(processes: int, seconds: float, memory_mb: int = MEMORY_MB) -> AsyncIterator[RenderPool]:
    """A pool for the life of a worker process."""
    pool = RenderPool(processes, seconds, memory_mb=memory_mb)
    try:
        yield pool
    finally:
        await pool.close()
