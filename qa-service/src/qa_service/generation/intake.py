"""Takes the questions of a running generation as they come, and stores them: the first at once; those that come while
a store runs, or in the short pause after it, go together into the next one. So a slow model's questions are seen one by
one, a fast one's cost two transactions, and a busy process stores more of them at a time."""

import asyncio
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

from intervai_shared.jobs import JobRun
from intervai_shared.models import Document
from qa_service.generation.similarity import Known, fingerprint
from qa_service.generation.store import Batch, GenerationStore
from qa_service.questions.schemas import Question

#: Seconds between two stores of a generation, for each generation that runs in this process, and at most.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.8


class Intake:
    """Of one run. Leave it to end what it is doing; an error of a store comes out of `take` and `settle`."""

    running = 0

    def __init__(
        self, run: JobRun, store: GenerationStore, made: list[Document], known: Known, questions: list[Document]
    ) -> None:
        self._run = run
        self._store = store
        self.made = made
        self._known = known
        #: What the model is to be told not to repeat: first what it has repeated, then what it has written.
        self.others = questions
        self.texts: list[str] = []
        self._earlier = {one["fingerprint"] for one in made}
        self._seen = {fingerprint(one["text"]) for one in questions if one["session"] == run.document["session"]}
        self._waiting: list[Document] = []
        self._storing: list[Document] = []
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self.taken: list[Document] = []
        #: The replies that are coming, by step.
        self.coming: dict[str, str] = {}

    @property
    def missing(self) -> int:
        """How many are still to come."""
        return int(self._run.document["count"]) - len(self.made) - len(self._waiting) - len(self._storing)

    def of_lane(self, lane: int) -> int:
        """How many came from a lane."""
        return Counter(one["lane"] for one in (*self.made, *self._waiting, *self._storing))[lane]

    def take(self, question: Document, lane: int) -> bool:
        """Takes a question that is new to the person while some are missing. Raises what a store has raised."""
        self._raise()
        text, category = question["text"], question["category"]
        if self.missing <= 0 or fingerprint(text) in self._earlier:
            return False
        if self._known.has(text, category):
            self.texts.append(text)
            return False
        self._known.add(text, category)
        self.texts.append(text)
        self._waiting.append({**question, "lane": lane})
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return True

    async def settle(self) -> None:
        """Returns when all that was taken is stored. Raises what a store raised."""
        if self._task is not None:
            self._hurry.set()
            await asyncio.shield(self._task)
            self._hurry.clear()

    async def __aenter__(self) -> Self:
        Intake.running += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Intake.running -= 1
        self._hurry.set()
        if self._task is not None and not self._task.done():
            if isinstance(error, asyncio.CancelledError):
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _drain(self) -> None:
        while self._waiting:
            async with self._store.gate:
                self._storing, self._waiting = self._waiting, []
                batch = Batch(self._storing, list(self.coming.items()))
                stored = await self._store.put(self._run, batch, self.made, frozenset(self._seen))
            self.made, self._storing = stored.made, []
            self.taken += stored.questions
            for one in stored.unknown:
                self._known.add(one["text"], one["category"])
                self.texts.append(one["text"])
            self._seen |= {fingerprint(one["text"]) for one in (*stored.unknown, *stored.questions)}
            await self._announce(stored.questions)
            await self._pause()

    async def _pause(self) -> None:
        """Until more has come to be stored together, or somebody waits for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * Intake.running)):
                await self._hurry.wait()

    async def _announce(self, questions: list[Document]) -> None:
        """Tells those who watch the job, each question as `GET /questions/{id}` gives it."""
        for question in questions:
            percent = 10 + 85 * (question["ordinal"] + 1) // self._run.document["count"]
            shown = Question.model_validate(question).model_dump(mode="json", by_alias=True)
            await self._run.records.announce(self._run.id, status="running", progress=percent, question=shown)

    def _raise(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()
