"""Processes that render files: CPU work stays off the event loop, its memory goes back when it is done, and what
renders people's text knows no secret of ours."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from export_service.renderers.content import Content
from export_service.renderers.process import ANSWER, request
from intervai_shared.logs import log

COMMAND = (sys.executable, "-I", "-m", "export_service.renderers.process")
#: All of a process's environment.
ENVIRONMENT = {"LANG": "C.UTF-8"}
#: Files after which a process is replaced: typst keeps what it has memoized, some 100 MB after a dozen documents.
FILES_PER_PROCESS = 25
#: Seconds without work after which the processes end.
IDLE_SECONDS = 3.0
_BUFFER_BYTES = 1 << 20


class RenderError(Exception):
    """A file was not made: the renderer raised, or its process died."""


class RenderPool:
    """Started by the first file, ended when there is nothing to do. `processes` files are rendered at a time, `seconds`
    is what one may take."""

    def __init__(self, processes: int, seconds: float, command: Sequence[str] = COMMAND) -> None:
        self._turn = asyncio.Semaphore(processes)
        self._seconds = seconds
        self._command = command
        self._all: set[_Renderer] = set()
        self._idle: list[_Renderer] = []
        self._timer: asyncio.TimerHandle | None = None

    async def render(self, kind: str, content: Content) -> bytes:
        """The file of a format. A process that was cut short is ended, and the next file gets a new one.

        Raises:
            RenderError: see there.
            TimeoutError: it took too long.
        """
        async with self._turn:
            renderer = await self._take()
            try:
                async with asyncio.timeout(self._seconds):
                    return await renderer.render(kind, content)
            finally:
                self._put_back(renderer)

    async def close(self) -> None:
        """Ends the processes, whatever they are at."""
        if self._timer is not None:
            self._timer.cancel()
        self._idle.clear()
        for renderer in self._all:
            renderer.end()
        await asyncio.gather(*(renderer.process.wait() for renderer in self._all))
        self._all.clear()

    async def _take(self) -> "_Renderer":
        while self._idle:
            renderer = self._idle.pop()
            if renderer.is_ready:
                return renderer
            self._drop(renderer)
        renderer = _Renderer(await _start(self._command))
        self._all.add(renderer)
        return renderer

    def _put_back(self, renderer: "_Renderer") -> None:
        if not renderer.is_ready or renderer.files >= FILES_PER_PROCESS:
            return self._drop(renderer)
        self._idle.append(renderer)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)
        return None

    def _end_idle(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, renderer: "_Renderer") -> None:
        renderer.end()
        self._all.discard(renderer)


class _Renderer:
    """One process. It is ready when it has answered what it was asked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.files = 0
        self._is_busy = False

    @property
    def is_ready(self) -> bool:
        return not self._is_busy and self.process.returncode is None

    async def render(self, kind: str, content: Content) -> bytes:
        assert self.process.stdin and self.process.stdout  # noqa: S101, PT018  narrows the types for mypy
        self._is_busy = True
        self.files += 1
        try:
            self.process.stdin.write(request(kind, content))
            await self.process.stdin.drain()
            is_file, length = ANSWER.unpack(await self.process.stdout.readexactly(ANSWER.size))
            body = await self.process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            log.error("a rendering process died", format=kind, status=await self.process.wait())
            raise RenderError("the rendering process died") from error
        self._is_busy = False
        if not is_file:
            raise RenderError(body.decode())
        return body

    def end(self) -> None:
        """Nobody waits for what it may be at."""
        with suppress(ProcessLookupError):
            self.process.kill()


async def _start(command: Sequence[str]) -> Process:
    # In a session of its own: Ctrl-C in the terminal ends the worker in order, not the file that it waits for.
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=ENVIRONMENT, limit=_BUFFER_BYTES, start_new_session=True
    )


@asynccontextmanager
async def open_pool(processes: int, seconds: float) -> AsyncIterator[RenderPool]:
    """A pool for the life of a worker process."""
    pool = RenderPool(processes, seconds)
    try:
        yield pool
    finally:
        await pool.close()
