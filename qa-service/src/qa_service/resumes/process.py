"""The process that reads one résumé: `python -m qa_service.resumes.process KIND SECONDS BYTES < file`. It answers JSON,
`{"text": …}` or `{"problem": a key of limits.SENTENCES}`, and ends.

It knows no secret and writes no file; before it looks at the file it gives up processor time and memory beyond SECONDS
and BYTES for good. Whatever a file does to it is over with it.
"""

import json
import resource
import sys
from contextlib import suppress

from qa_service.resumes import texts
from qa_service.resumes.limits import DAMAGED, SLOW, UnreadableError

READERS = {"pdf": texts.pdf_text, "docx": texts.docx_text, "txt": texts.plain_text}


def confine(cpu_seconds: int, memory_bytes: int) -> None:
    """Limits this process, for good (https://man7.org/linux/man-pages/man2/setrlimit.2.html)."""
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for name, limit in limits.items():
        with suppress(ValueError):  # macOS has no limit of the address space
            resource.setrlimit(name, (limit, limit))


def answer(kind: str, content: bytes) -> dict[str, str]:
    """Its text, or why there is none."""
    try:
        return {"text": texts.tidy(READERS[kind](content))}
    except UnreadableError as error:
        return {"problem": error.reason}
    except (MemoryError, RecursionError):
        return {"problem": SLOW}
    except Exception:  # parsers raise anything at all on a damaged file
        return {"problem": DAMAGED}


def main() -> None:
    """Reads the file from the standard input."""
    kind, seconds, memory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    confine(seconds, memory)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    json.dump(answer(kind, sys.stdin.buffer.read()), answers)


if __name__ == "__main__":
    main()
