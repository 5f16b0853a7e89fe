"""The process that renders: `python -m export_service.renderers.process MEMORY_MB`. It takes content on its standard
input and gives files on its standard output, one after the other, until its input ends: so it ends when its worker
dies.

A request is `REQUEST` (the length of what follows), then JSON. An answer comes in frames: `FRAME` (what it is, the
length of what follows), then the bytes; pieces of the file first, then one that says how it ended. Who does not read
them on holds the process up, as the pipe is full.
"""

import os
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import orjson

from export_service.renderers import render
from export_service.renderers.content import Content, Item, Layout

REQUEST = struct.Struct(">Q")
FRAME = struct.Struct(">BI")
#: The longest piece of a file.
PIECE_BYTES = 256 << 10


class Frame(IntEnum):
    """What a frame is."""

    PIECE = 1
    END = 2
    #: The file ends here, and this process wants no other: it has grown.
    LAST = 3
    #: There is no file; the text of the error.
    ERROR = 4
    #: There is no file, as there was not enough memory; the process ends.
    NO_MEMORY = 5


def request(kind: str, content: Content) -> bytes:
    """Asks for the file of a format; `REQUEST` goes before it."""
    return orjson.dumps({"kind": kind, "content": content})


def serve(requests: BinaryIO, answers: BinaryIO, memory_bytes: int) -> None:
    """Answers until the requests end, or the memory does."""
    try:
        while head := requests.read(REQUEST.size):
            for frame, body in _answer(requests.read(*REQUEST.unpack(head)), memory_bytes):
                _send(answers, frame, body)
    except MemoryError:
        _send(answers, Frame.NO_MEMORY, b"")


def _send(answers: BinaryIO, frame: Frame, body: bytes | memoryview) -> None:
    answers.write(FRAME.pack(frame, len(body)))
    answers.write(body)
    answers.flush()


def _answer(body: bytes, memory_bytes: int) -> Iterator[tuple[Frame, bytes | memoryview]]:
    try:
        file = memoryview(_render(body))
    except MemoryError:
        raise
    except Exception as error:
        yield Frame.ERROR, repr(error)[:500].encode()
        return
    for start in range(0, len(file), PIECE_BYTES):
        yield Frame.PIECE, file[start : start + PIECE_BYTES]
    del file
    # What the renderers keep of this file must not take the next one's room.
    yield Frame.LAST if _mapped_bytes() > memory_bytes / 2 else Frame.END, b""


def _render(body: bytes) -> bytes:
    wanted = orjson.loads(body)
    items = [Item(**item) for item in wanted["content"].pop("items")]
    layout = Layout(**wanted["content"].pop("layout"))
    return render(wanted["kind"], Content(**wanted["content"], items=items, layout=layout))


def _mapped_bytes() -> int:
    """What RLIMIT_AS counts; 0 where there is no /proc."""
    with suppress(FileNotFoundError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return 0


def _limit(memory_bytes: int) -> None:
    # macOS takes no such limit: there a file may take what there is.
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def main() -> None:
    """Keeps the standard output for answers: what a library prints goes to the standard error."""
    memory_bytes = int(sys.argv[1]) << 20
    _limit(memory_bytes)  # before a renderer loads its library
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, memory_bytes)


if __name__ == "__main__":
    main()
