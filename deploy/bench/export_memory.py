"""What memory and time a session of 2,000 questions takes as a file: of the worker, which moves it from the process
that renders it into S3, and of that process.

`make bench TARGET=export-memory` runs it beside a running suite, whose S3 it uses. Prints a line for each format: the
size of the file, the time, and by how much each of the two grew at most, in MB. A process of its own does each.
"""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from contextlib import aclosing
from typing import Any

import orjson
import psutil
from bson import ObjectId
from rich.console import Console

from export_service.exports.plans import Planner
from export_service.exports.render_pool import open_pool
from export_service.renderers import RENDERERS
from export_service.settings import ExportSettings
from intervai_shared.storage import FileStorage

QUESTIONS = 2_000
SECONDS = 600
INSIDE = "--inside"
ANSWER = (
    "It depends on what is read and what is written, and a good answer weighs both against each other. "
    * 6
    + "\n\n```python\ndef slow(rows):\n    return [row for row in rows if row.total > 10]\n```\n\n"
    "Then `measure` it again."
)
OPTIONS = {"onlyPinned": False, "includeAnswers": True, "includeNotes": True}
MB = 1_000_000


def session() -> bytes:
    """qa-service's answer, about 1.5 KB a question."""
    made_at = "2026-03-05T10:00:00Z"
    about = {"id": "6" * 24, "title": "Bench", "role": "SRE", "experience": "senior", "topics": ["Go"]}
    question: dict[str, Any] = {
        "answer": ANSWER,
        "difficulty": "medium",
        "keyPoints": ["Costs", "An example", "Limits", "Tests"],
    }
    question |= {"followUps": ["And then?", "Why?"], "isPinned": False, "notes": "Read it again.", "updatedAt": made_at}
    questions = [
        {
            **question,
            "id": f"{number:024x}",
            "text": f"Question {number}: why is it slow?",
            "category": f"T{number % 9}",
        }
        for number in range(QUESTIONS)
    ]
    return orjson.dumps({"session": {**about, "createdAt": made_at, "updatedAt": made_at}, "questions": questions})


class Sessions:
    """In place of qa-service."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def get(self, *_: Any) -> Any:
        return orjson.loads(self._answer)


class Run:
    """In place of a job's record."""

    def __init__(self, export: dict[str, Any]) -> None:
        self.document = export

    async def progress(self, *_: Any) -> None:
        """Nobody looks."""


class Watch(threading.Thread):
    """Looks at this process and its rendering process every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ours = psutil.Process()
        self.before = self.worker = self._ours.memory_info().rss
        self.renderer = 0

    def run(self) -> None:
        while True:
            self.worker = max(self.worker, self._ours.memory_info().rss)
            for child in self._ours.children():
                try:
                    self.renderer = max(self.renderer, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.01)


async def move(kind: str) -> str:
    """Makes one file and says what it took."""
    storage, answer = FileStorage(ExportSettings()), session()
    await storage.put("bench/warm", b"x", "text/plain", "warm")
    export = {"user": ObjectId(), "format": kind, "session": "6" * 24, "options": OPTIONS}
    if kind == "zip":
        export |= {"sessions": ["6" * 24] * 3, "of": "json"}
    memory_mb = int(os.environ.get("RENDER_MEMORY_MB", "2048"))
    async with open_pool(1, SECONDS, memory_mb) as pool:
        watch = Watch()
        watch.start()
        started = time.perf_counter()
        plan = await Planner(Sessions(answer), pool).plan(export)  # type: ignore[arg-type]
        async with aclosing(plan.pieces(Run(export))) as pieces:  # type: ignore[arg-type]
            stored = await storage.put_stream("bench/file", pieces, plan.media_type, plan.name)
        seconds = time.perf_counter() - started
    await storage.delete("bench/file")
    grown = (watch.worker - watch.before) / MB
    size, renderer = stored.size_bytes / MB, watch.renderer / MB
    return f"{kind:5} {size:7.1f} MB {seconds:6.1f} s   worker +{grown:.0f} MB   rendering process {renderer:.0f} MB"


def measure(kind: str) -> None:
    """In a process that has done nothing else."""
    Console().print(asyncio.run(move(kind)))


def main() -> None:
    """The formats one after the other, or those that are named; with the settings of the suite's export-service."""
    if INSIDE not in sys.argv:
        beside = ["-m", "intervai_local", "with", "--service", "export-service", "--", sys.executable, __file__]
        command = [sys.executable, *beside, *sys.argv[1:], INSIDE]
        sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603  ourselves
    for kind in [kind for kind in sys.argv[1:] if kind != INSIDE] or [*RENDERERS, "zip"]:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(kind,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
