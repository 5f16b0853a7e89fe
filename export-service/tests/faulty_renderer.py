"""A rendering process whose Markdown renderer fails in the way that the content's title names."""

import os
import time
from dataclasses import replace

from export_service.renderers import RENDERERS, process
from export_service.renderers.content import Content


def render(content: Content) -> bytes:
    """The process's id, or its environment, or nothing at all."""
    match content.title:
        case "die":
            os._exit(1)
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


RENDERERS["md"] = replace(RENDERERS["md"], render=render)

if __name__ == "__main__":
    process.main()
