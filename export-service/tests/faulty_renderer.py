"""A rendering process whose Markdown renderer fails in the way that the content's title names."""

import mmap
import os
import signal
import time
from dataclasses import replace

from export_service.renderers import RENDERERS, process
from export_service.renderers.content import Content

#: More than the tests' processes may map, and a file of many pieces.
MANY = 512 << 20
MUCH = 5 << 20
KEPT: list[mmap.mmap] = []


def render(content: Content) -> bytes:
    """The process's id, or its environment, or much, or nothing at all."""
    end(content.title)
    match content.title:
        case "want too much":
            return bytes(MANY)
        case "keep too much":
            KEPT.append(mmap.mmap(-1, MANY // 2))  # takes up addresses only
        case "much":
            return bytes(range(256)) * (MUCH // 256)
        case "hang":
            time.sleep(60)
        case "raise":
            raise ValueError("no such glyph")
        case "print":
            os.write(1, b"a library prints")
        case "environment":
            return repr(dict(os.environ)).encode()
        case "wait":
            time.sleep(0.1)
    return str(os.getpid()).encode()


def end(way: str) -> None:
    """Ends the process, if the title is a way to do so."""
    match way:
        case "die":
            os._exit(1)
        case "abort":
            os.abort()  # as Rust does when it gets no memory
        case "be killed":
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when there is none


RENDERERS["md"] = replace(RENDERERS["md"], render=render)

if __name__ == "__main__":
    process.main()
