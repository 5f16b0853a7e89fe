"""The process that renders: `python -m export_service.renderers.process`. It takes content on its standard input and
gives files on its standard output, one after the other, until its input ends: so it ends when its worker dies.

A request is `REQUEST` (the length of what follows), then JSON. An answer is `ANSWER` (whether it is a file, the length
of what follows), then the file, or the text of the error.
"""

import os
import struct
import sys
from dataclasses import asdict
from typing import BinaryIO

import orjson

from export_service.renderers import render
from export_service.renderers.content import Content, Item, Layout

REQUEST = struct.Struct(">Q")
ANSWER = struct.Struct(">?Q")


def request(kind: str, content: Content) -> bytes:
    """Asks for the file of a format."""
    body = orjson.dumps({"kind": kind, "content": asdict(content)})
    return REQUEST.pack(len(body)) + body


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers until the requests end."""
    while head := requests.read(REQUEST.size):
        is_file, body = _answer(requests.read(*REQUEST.unpack(head)))
        answers.write(ANSWER.pack(is_file, len(body)) + body)
        answers.flush()


def _answer(body: bytes) -> tuple[bool, bytes]:
    wanted = orjson.loads(body)
    items = [Item(**item) for item in wanted["content"].pop("items")]
    layout = Layout(**wanted["content"].pop("layout"))
    try:
        return True, render(wanted["kind"], Content(**wanted["content"], items=items, layout=layout))
    except Exception as error:
        return False, repr(error)[:500].encode()


def main() -> None:
    """Keeps the standard output for answers: what a library prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
