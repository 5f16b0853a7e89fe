"""A TCP proxy that takes a part away as networks do; after the model of toxiproxy (https://github.com/Shopify/toxiproxy)."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

from intervai_local.state import HOST, free_port

#: Closes with a reset instead of a farewell (socket(7), SO_LINGER with a time of 0).
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """A line to `host:port` that clients reach at `self.port`: `listen`, or a free one. One fault at a time, for all
    connections; `heal` ends it."""

    def __init__(self, host: str, port: int, listen: int | None = None) -> None:
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._latency = 0.0
        self._cut_after: int | None = None
        self.port = listen or free_port()
        self.accepted = 0

    async def __aenter__(self) -> Self:
        await self.heal()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def heal(self) -> None:
        """Passes everything on again; a connection that was held goes on where it was."""
        self._latency, self._cut_after = 0.0, None
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, HOST, self.port)

    async def down(self) -> None:
        """Resets all connections and refuses new ones, as a killed server does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset_all()

    async def black_hole(self) -> None:
        """Accepts connections and takes what is sent; nothing comes back, nothing arrives."""
        self._flows.clear()

    async def slow(self, seconds: float) -> None:
        """Every answer comes so much later. Bytes that follow each other do so as before: it is no narrow line."""
        self._latency = seconds

    async def cut(self, after_bytes: int = 0) -> None:
        """Resets all connections now, and each new one once so many bytes of answers have passed."""
        self._cut_after = after_bytes
        await self._reset_all()

    async def _reset_all(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        self.accepted += 1
        try:
            await self._flows.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._upstream)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, far_writer, is_answer=False))
                    both.create_task(self._pump(far_reader, writer, is_answer=True))
            finally:
                _reset(far_writer)
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            return  # one end has broken off, or we have
        finally:
            _reset(writer)
            self._links.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._deliver(chunks, writer, is_answer=is_answer))
            data = b"."
            while data:
                data = await reader.read(65_536)
                due = asyncio.get_running_loop().time() + (self._latency if is_answer else 0)
                await chunks.put((due, data))

    async def _deliver(
        self, chunks: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        passed = 0
        while (chunk := await chunks.get())[1]:
            due, data = chunk
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self._flows.wait()
            passed += len(data) if is_answer else 0
            if is_answer and self._cut_after is not None and passed > self._cut_after:
                writer.write(data[: len(data) - (passed - self._cut_after)])
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        await self._flows.wait()
        with suppress(OSError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
