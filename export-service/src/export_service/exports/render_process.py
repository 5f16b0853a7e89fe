"""One rendering process, as its worker sees it."""

import asyncio
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from export_service.renderers.content import Content
from export_service.renderers.process import FRAME, PIECE_BYTES, REQUEST, Frame, request
from intervai_shared.logs import log

#: All of a process's environment. Each thread would get an arena of 64 MiB of the address space, which has a limit.
#: typst would spread a document over threads, a fifth more CPU time for it: files are what is done side by side.
ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "RAYON_NUM_THREADS": "1"}
#: How a process ends that the kernel, or Rust, found to want too much memory.
_OUT_OF_MEMORY = (-signal.SIGKILL, -signal.SIGABRT)


class RenderError(Exception):
    """A file was not made: the renderer raised, or its process died."""


class MemoryLimitError(RenderError):
    """A file was not made, since it needs more memory than it may take."""


class RenderProcess:
    """It is ready when it has answered what it was asked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.files = 0
        self._kind = ""
        self._seconds_left = 0.0
        self._is_busy = False
        self._is_ended = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked."""
        return not self._is_busy and not self._is_ended and self.process.returncode is None

    async def ask(self, kind: str, content: Content, seconds: float) -> None:
        """Asks for a file, for which the process may take so long; then `piece` gives it."""
        self.files += 1
        self._is_busy, self._kind, self._seconds_left = True, kind, seconds
        await self._within_limits(self._write(request(kind, content)))

    async def piece(self) -> bytes | None:
        """The next piece of the file; None: that was all. Raises RenderError, TimeoutError."""
        frame, body = await self._within_limits(self._read())
        if frame is Frame.PIECE:
            return bytes(body)
        if frame is Frame.NO_MEMORY:
            raise MemoryLimitError(f"{self._kind}: no memory")
        self._is_busy = False
        if frame is Frame.ERROR:
            raise RenderError(body.decode())
        self._is_ended = frame is Frame.LAST
        return None

    def end(self) -> None:
        """Nobody waits for what it may be at."""
        self._is_ended = True
        with suppress(ProcessLookupError):
            self.process.kill()

    async def _within_limits(self, work: Coroutine[Any, Any, Any]) -> Any:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._seconds_left):
                return await work
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            status = await self.process.wait()
            log.error("a rendering process died", format=self._kind, status=status)
            if status in _OUT_OF_MEMORY and not self._is_ended:
                raise MemoryLimitError(f"{self._kind}: its process died of it") from error
            raise RenderError("the rendering process died") from error
        finally:
            self._seconds_left -= loop.time() - started

    async def _write(self, body: bytes) -> None:
        assert self.process.stdin  # noqa: S101  narrows the type for mypy
        self.process.stdin.write(REQUEST.pack(len(body)))
        # In pieces: what does not fit into the pipe is copied.
        for start in range(0, len(body), PIECE_BYTES):
            self.process.stdin.write(memoryview(body)[start : start + PIECE_BYTES])
            await self.process.stdin.drain()

    async def _read(self) -> tuple[Frame, bytes]:
        assert self.process.stdout  # noqa: S101  narrows the type for mypy
        frame, length = FRAME.unpack(await self.process.stdout.readexactly(FRAME.size))
        return Frame(frame), await self.process.stdout.readexactly(length)


async def start(command: Sequence[str]) -> Process:
    """Starts one."""
    # In a session of its own: Ctrl-C in the terminal ends the worker in order, not the file that it waits for.
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=ENVIRONMENT, limit=PIECE_BYTES, start_new_session=True
    )
