"""Does a generation: asks the model, and stores each question as soon as it is whole."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from intervai_shared.jobs import JobRun
from intervai_shared.models import Document
from qa_service.generation.checking import ReplyCheck
from qa_service.generation.intake import Intake
from qa_service.generation.planning import Lane, excluded, interview_of, lanes_of, topics_of
from qa_service.generation.prompt import questions_prompt
from qa_service.generation.reading import QuestionReader
from qa_service.generation.store import GenerationStore
from qa_service.generation.variants import Flight, Variants, in_words_of, key_of
from qa_service.llm.model import Caller
from qa_service.llm.prompt import Quality
from qa_service.llm.replies import BrokenReplyError, InvalidReplyError
from qa_service.settings import QaSettings

#: The model has no more when so many calls in a row brought nothing new, and so many questions, or none at all.
EMPTY_CALLS, EMPTY_QUESTIONS = 2, 6
EXHAUSTED = "The model has no further questions on these topics that you have not had yet."


@dataclass
class Work:
    """One attempt at a job."""

    run: JobRun
    session: Document
    intake: Intake
    quality: Quality


class Generator:
    """Makes the questions of a job, `generation_batch` at most in one call of the model."""

    def __init__(self, settings: QaSettings, store: GenerationStore, variants: Variants) -> None:
        self._settings = settings
        self._store = store
        self._model = store.model
        self._variants = variants

    async def work(self, run: JobRun) -> Document:
        """One attempt: goes on where the last one ended. Raises PermanentError, LostLeaseError, what `ask` raises."""
        await run.progress(max(10, run.document["progress"]))
        session = await self._store.session(run)
        made = await self._store.made(run)
        known, questions = await self._store.known(run)
        async with Intake(run, self._store, made, known, questions) as intake:
            work = Work(run, session, intake, self._quality(run.document))
            await self._fill(work)
            await intake.settle()
            result = _result(work)
            await self._store.finish(run, intake.made, result)
        return {"result": result}

    def _quality(self, job: Document) -> Quality:
        wanted: Quality | None = job.get("quality")
        is_hard = job.get("difficulty") == "hard"
        return wanted or (self._settings.generation_quality_of_hard if is_hard else "standard")

    async def _fill(self, work: Work) -> None:
        key = key_of(work.run.document, work.session, work.quality, self._settings)
        if key is None or work.run.attempt > 1:
            await self._ask_all(work)
            return
        async with self._variants.flight(key) as flight:
            if flight.leads:
                await self._ask_all(work)
                await self._keep(work, flight)
        if not flight.leads:
            for question in flight.questions:
                work.intake.take(in_words_of(topics_of(work.run.document, work.session), question), 0)
            await work.intake.settle()
            await self._ask_all(work)

    async def _keep(self, work: Work, flight: Flight) -> None:
        """Only a whole set, and one that was made in one go, is worth being given to others."""
        await work.intake.settle()
        if len(work.intake.taken) == work.run.document["count"]:
            flight.keep(work.intake.taken)

    async def _ask_all(self, work: Work) -> None:
        """Until there are enough, or the model has no new ones."""
        settings = self._settings
        lanes = lanes_of(work.run.document, work.session, settings.generation_batch, settings.generation_parallel)
        if len(lanes) > 1:
            await _together([asyncio.create_task(self._ask_lane(work, lane)) for lane in lanes])
        whole = Lane(len(lanes), topics_of(work.run.document, work.session), work.run.document["count"])
        await self._ask_lane(work, whole)

    async def _ask_lane(self, work: Work, lane: Lane) -> None:
        dry, call, size, again = Dry(), 0, self._settings.generation_batch, self._settings.generation_reasks
        while not dry.is_over and again >= 0:
            before = work.intake.of_lane(lane.number)
            missing = min(lane.share - before, work.intake.missing)
            if missing <= 0:
                return
            # Who has just repeated themselves is asked for more than is missing.
            ask = min(size, missing * 3 if dry.calls else missing)
            hearing = await self._call(work, lane, call, ask)
            call += 1
            new = work.intake.of_lane(lane.number) - before
            if hearing.is_cut and not new:
                size = max(1, ask // 2)
            elif not hearing.is_kept:
                dry.note(new, hearing.read)
                again -= new < ask

    async def _call(self, work: Work, lane: Lane, call: int, ask: int) -> "Hearing":
        """One call, whose questions are stored at its end."""
        caller, step = Caller(work.run.document["user"], work.run.id), f"{lane.number}.{call}"
        exclude = excluded(work.intake.texts, work.intake.others, lane.topics)
        interview = interview_of(work.run.document, work.session, lane.topics, ask, exclude)
        hearing = Hearing(
            work.intake, lane.number, step, ReplyCheck(interview), lambda: self._model.answering(caller, step)
        )
        kept = await self._model.kept(caller, step) if work.run.attempt > 1 else None
        try:
            prompt = questions_prompt(interview, work.quality)
            reply = kept or await self._model.ask(
                caller, step, prompt, hearing.check.whole, hearing.hear, takes_cut=True
            )
        except BrokenReplyError as error:
            # What came is paid for and taken; a further call asks for the rest.
            hearing.take(error.content, hearing.model)
            await work.intake.settle()
            return hearing
        finally:
            work.intake.coming.pop(step, None)
        hearing.take(reply.content, reply.model)
        await work.intake.settle()
        if reply.cut and ask == 1 and not kept and not hearing.taken:
            raise InvalidReplyError
        hearing.is_kept, hearing.is_cut = kept is not None, reply.cut
        return hearing


@dataclass
class Dry:
    """How long the model has brought nothing new."""

    calls: int = 0
    questions: int = 0
    is_mute: bool = False

    @property
    def is_over(self) -> bool:
        return self.calls >= EMPTY_CALLS and (self.is_mute or self.questions >= EMPTY_QUESTIONS)

    def note(self, new: int, read: int) -> None:
        """A reply with so many questions, of which so many were new."""
        self.calls, self.questions = (0, 0) if new else (self.calls + 1, self.questions + read)
        self.is_mute = not read


class Hearing:
    """Takes the questions of one reply while it comes. `answering`: which model it is that answers; `is_kept`: it had
    been journalled before; `is_cut`: by the token limit."""

    def __init__(
        self, intake: Intake, lane: int, step: str, check: ReplyCheck, answering: Callable[[], str | None]
    ) -> None:
        self._intake = intake
        self._lane = lane
        self._step = step
        self._answering = answering
        self._reader = QuestionReader()
        self.check = check
        self.model: str | None = None
        self.is_kept = self.is_cut = False
        self.read = self.taken = 0

    async def hear(self, content: str) -> None:
        """Gets what has come so far."""
        self._intake.coming[self._step] = content
        self.model = self._answering()
        self.take(content, self.model)

    def take(self, content: str, model: str | None) -> None:
        """Takes what is whole and has not been taken yet."""
        for piece in self._reader.feed(content):
            self.read += 1
            if question := self.check.read(piece):
                self.taken += self._intake.take({**question, "model": model}, self._lane)


async def _together(tasks: list[asyncio.Task[None]]) -> None:
    """All of them, or none goes on when one has failed."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _result(work: Work) -> Document:
    made, wanted = work.intake.made, work.run.document["count"]
    model = next((one["model"] for one in made if one["model"]), None)
    result: Document = {"questions": len(made), "requested": wanted, "model": model}
    return result if len(made) == wanted else {**result, "exhausted": True, "detail": EXHAUSTED}
