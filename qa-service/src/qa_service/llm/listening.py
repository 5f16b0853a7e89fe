"""Handing a reply over while it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from openai import AsyncAPIResponse

from qa_service.llm.received import Received
from qa_service.llm.replies import StreamError
from qa_service.llm.sse import EventDecoder

#: Gets the content that has come so far, each time that more has come.
OnText = Callable[[str], Awaitable[None]]
#: Seconds without reading, after so many seconds of it. Providers send each token by itself: what gathers in the socket
#: meanwhile is read, decoded and handed over at once, which takes a fraction of the time.
GATHER_SECONDS, READ_SECONDS = 0.03, 0.01
#: Bytes of one line of a stream.
MOST_BYTES_OF_A_LINE = 1_048_576


class StoppedError(Exception):
    """`on_text` has raised: its cause. The caller wants no more of the reply."""


class Listener:
    """One who gets the reply while it comes: one call of `on_text` at a time, each with all that has come by then.

    `has_told`: somebody has seen a part of the reply, so another reply can no longer take its place. `received`: of the
    newest try, at `provider`.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self._telling: asyncio.Task[None] | None = None
        self.has_ended = False
        self.has_told = False
        self.received = Received()
        self.provider = ""

    @property
    def wants_pieces(self) -> bool:
        return self._on_text is not None

    def tell(self) -> None:
        """Sees to it that what has come is handed over. Raises StoppedError."""
        if self._on_text is not None and self._telling is None and self.received.has_text:
            self._telling = asyncio.create_task(self._tell(self._on_text))
        elif self._telling is not None and self._telling.done():
            self._look()
            self.tell()

    async def _tell(self, on_text: OnText) -> None:
        told = ""
        while not self.has_ended and len(told) < len(text := self.received.content):
            self.has_told = True
            told = text
            await on_text(text)

    async def end(self) -> None:
        """Waits for the call of `on_text` that is under way; there will be no further one. Raises StoppedError."""
        self.has_ended = True
        if self._telling is None:
            return
        try:
            await asyncio.wait([self._telling])
        except asyncio.CancelledError:
            self.forget()
            raise
        self._look()

    def forget(self) -> None:
        """What has come is not to be handed over any more."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def _look(self) -> None:
        if self._telling is not None:
            telling, self._telling = self._telling, None
            if not telling.cancelled() and (error := telling.exception()):
                raise StoppedError from error


async def listen(response: AsyncAPIResponse[Any], listener: Listener, max_output_tokens: int) -> None:
    """Reads a response to its end into `listener.received`, or until it is taken for a runaway.

    Raises:
        StreamError: it breaks off, or is none of the API.
        StoppedError: `on_text` has raised.
        httpx2.TransportError: the connection is lost, or silent for too long.
    """
    received = listener.received
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        received.take_whole(await response.read())
        return
    began = 0.0
    async for events in _events(response):
        for event in events:
            received.take_event(event)
        if received.is_done or received.is_runaway(max_output_tokens):
            return
        listener.tell()
        if time.perf_counter() - began > READ_SECONDS:
            await asyncio.sleep(GATHER_SECONDS)
            began = time.perf_counter()
    if received.finish is None:
        raise StreamError("it breaks off")


async def _events(response: AsyncAPIResponse[Any]) -> AsyncIterator[list[bytes]]:
    decoder = EventDecoder()
    async for data in response.iter_bytes():
        yield decoder.feed(data)
        if decoder.waiting > MOST_BYTES_OF_A_LINE:
            raise StreamError("an endless line")
