"""The text of a file, by a process that lives for this one file: the parsers of PDF and DOCX are large, and a stranger
chooses what they eat. Another file gets another process, so none can do anything to the next."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from intervai_shared.logs import log
from qa_service.resumes.limits import SENTENCES, SLOW, UnreadableError
from qa_service.resumes.schemas import DOCX

COMMAND = (sys.executable, "-I", "-m", "qa_service.resumes.process")
#: All of a process's environment.
ENVIRONMENT = {"LANG": "C.UTF-8"}
KINDS = {"application/pdf": "pdf", DOCX: "docx", "text/plain": "txt"}
#: Files that are read at a time in one worker process: each may take all of its memory.
AT_A_TIME = 2
MEMORY_BYTES = 512 * 1_048_576
#: More is no answer of ours: a text of 20,000 characters is at most 240,000 bytes of JSON.
MOST_ANSWER_BYTES = 1_048_576


class Extractor:
    """`seconds` is what one file may take."""

    def __init__(self, seconds: float, command: Sequence[str] = COMMAND) -> None:
        self._turn = asyncio.Semaphore(AT_A_TIME)
        self._seconds = seconds
        self._command = command

    async def text_of(self, media_type: str, fetch: Callable[[], Awaitable[bytes]]) -> str:
        """The text of a file, tidied, at most `limits.MOST_CHARACTERS`. The file is fetched when it is its turn, so
        that those that wait take no memory. Raises UnreadableError, and what `fetch` raises."""
        limits = (str(max(1, int(self._seconds))), str(MEMORY_BYTES))
        async with self._turn:
            content = await fetch()
            process = await asyncio.create_subprocess_exec(
                *self._command, KINDS[media_type], *limits, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=ENVIRONMENT
            )
            try:
                async with asyncio.timeout(self._seconds):
                    return _text(await _answer(process, content))
            except TimeoutError as error:
                raise UnreadableError(SLOW) from error
            finally:
                await _end(process)


async def _answer(process: Process, content: bytes) -> bytes:
    assert process.stdin and process.stdout  # noqa: S101, PT018  narrows the types for mypy
    with suppress(ConnectionError):  # it ended before it had read all of it
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()
    try:
        await process.stdout.readexactly(MOST_ANSWER_BYTES)
    except asyncio.IncompleteReadError as error:
        return error.partial
    return b""


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    # `wait` waits for the end of the pipe too, which does not come while there is something in it.
    assert process.stdout  # noqa: S101  narrows the type for mypy
    await process.stdout.read()
    await process.wait()


def _text(answer: bytes) -> str:
    try:
        told = json.loads(answer)
    except ValueError as error:
        # Ended by one of its limits.
        log.warning("a process that read a résumé died")
        raise UnreadableError(SLOW) from error
    if problem := told.get("problem"):
        raise UnreadableError(problem if problem in SENTENCES else SLOW)
    return str(told["text"])
