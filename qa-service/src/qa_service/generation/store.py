"""What a generation reads and writes. The job's record says what it has made, in the transaction that stores it: so a
run that dies between any two steps leaves a job that knows what is still to do.

`made` in the record of a job: `[{fingerprint, category, difficulty, model, lane}]`, by ordinal. `untold`: some of these
have not been told by an event.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from bson import ObjectId

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.events import QuestionsGenerated, grouped
from qa_service.generation.similarity import Known, fingerprint
from qa_service.jobs.repository import JobRepository
from qa_service.llm.model import Caller, LanguageModel
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import new_question
from qa_service.sessions.repository import SessionRepository

#: The newest questions of a person that a new one is compared with.
MOST_KNOWN = 2_000
#: Stores at a time in one process.
MOST_STORES = 16
#: From so many on they are read apart from the event loop: 100 ms for the most.
MANY_KNOWN = 200
_NOTHING_MADE = "The model found no further questions on these topics."


@dataclass
class Batch:
    """Questions to store. `asked_by`: the steps that are asking the model now, with what has come of their replies."""

    questions: list[Document]
    asked_by: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Stored:
    """What became of a batch: the questions, what the job has made, and what else is new in the session."""

    questions: list[Document]
    made: list[Document]
    unknown: list[Document]


@dataclass(frozen=True)
class GenerationStore:
    """Every method is for the job of a run, and so for its user."""

    sessions: SessionRepository
    questions: QuestionRepository
    jobs: JobRepository
    outbox: Outbox
    model: LanguageModel
    #: Who waits for it holds no connection to Mongo, and gathers more for the same transaction.
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_STORES))

    async def session(self, run: JobRun) -> Document:
        """The job's session. Raises PermanentError when it takes no questions."""
        found = await self.sessions.get(run.document["user"], run.document["session"])
        if found is None:
            raise PermanentError("The session has been deleted.")
        if found["status"] == "cancelled":
            raise PermanentError("The session has been cancelled.")
        if found.get("isArchived"):
            raise PermanentError("The session has been archived.")
        return found

    async def made(self, run: JobRun) -> list[Document]:
        """What earlier attempts have made. Read anew: another run may have stored until this one took the lease."""
        if run.attempt == 1:
            return []
        job = await self.jobs.get(run.document["user"], run.id)
        return list((job or {}).get("made", ()))

    async def known(self, run: JobRun) -> tuple[Known, list[Document]]:
        """What must not come again, and the questions `{text, category, session}` that it is made of: those of the
        session first, the newest first."""
        user, session = run.document["user"], run.document["session"]
        newest = await self.questions.known(user, MOST_KNOWN)
        own = [one for one in newest if one["session"] == session]
        if len(newest) == MOST_KNOWN:
            own = (await self.questions.briefs_of_session(user, session))[::-1]
        found = own + [one for one in newest if one["session"] != session]
        if len(found) < MANY_KNOWN:
            return _known(found), found
        return await asyncio.to_thread(_known, found), found

    async def put(self, run: JobRun, batch: Batch, made: Sequence[Document], seen: frozenset[str]) -> Stored:
        """Stores the questions that nobody has added meanwhile. `seen`: fingerprints of what is known of the session.

        Raises PermanentError, LostLeaseError: then nothing has been stored.
        """

        async def effect(transaction: Session) -> Stored:
            return await self._put(run, batch, made, seen, transaction)

        return await self.outbox.transaction(effect)

    async def _put(
        self, run: JobRun, batch: Batch, made: Sequence[Document], seen: frozenset[str], transaction: Session
    ) -> Stored:
        user, session = run.document["user"], run.document["session"]
        # Whoever adds questions writes the session first, so no other can come between the look and the commit.
        await self._count(run, len(batch.questions), transaction)
        # Nor of the same person in another session.
        await self.questions.take_turn(user, transaction)
        there = await self.questions.briefs_of_session(user, session, transaction)
        unknown = [one for one in there if fingerprint(one["text"]) not in seen]
        fresh = await self._fresh(user, batch.questions, unknown, transaction)
        stored = [_numbered(run, question, len(made) + place) for place, question in enumerate(fresh)]
        told = [*made, *map(_as_made, fresh)]
        progress = 10 + 85 * len(told) // run.document["count"]
        await run.records.write(run, {"made": told, "untold": bool(told), "progress": progress}, transaction)
        if len(fresh) < len(batch.questions):
            await self._count(run, len(fresh) - len(batch.questions), transaction)
        if stored:
            await self.questions.insert(user, stored, transaction)
            if not made:
                await self.sessions.begin(user, session, transaction)
        for step, content in batch.asked_by:
            await self.model.note_partial(Caller(user, run.id), step, content, transaction)
        return Stored([{**question, "user": user} for question in stored], told, unknown)

    async def finish(self, run: JobRun, made: Sequence[Document], result: Document) -> None:
        """Ends the job and tells what it has made. Raises PermanentError, LostLeaseError."""
        if not made:
            raise PermanentError(_NOTHING_MADE)

        async def effect(transaction: Session) -> None:
            await self._count(run, 0, transaction)
            await run.succeed(transaction, result=result, untold=False, told=len(made))
            untold = made[run.document.get("told", 0) :]
            await tell(self.outbox, run.document, untold, transaction)

        await self.outbox.transaction(effect)

    async def _fresh(
        self, user: ObjectId, questions: list[Document], unknown: list[Document], transaction: Session
    ) -> list[Document]:
        """Those that the person has in no session; beyond what was compared before, by their fingerprints alone."""
        added = _known(unknown)
        new = [one for one in questions if not added.has(one["text"], one["category"])]
        taken = await self.questions.taken(user, [fingerprint(one["text"]) for one in new], transaction)
        return [one for one in new if fingerprint(one["text"]) not in taken]

    async def _count(self, run: JobRun, count: int, transaction: Session) -> None:
        user, session = run.document["user"], run.document["session"]
        if not await self.sessions.add_questions(user, session, count, transaction):
            is_there = await self.sessions.get(user, session)
            raise PermanentError(f"The session has been {'archived' if is_there else 'deleted'}.")


async def tell(outbox: Outbox, job: Document, made: Sequence[Document], transaction: Session) -> None:
    """The event of what a job has made."""
    told = QuestionsGenerated(user=job["user"], job_id=job["_id"], count=len(made), groups=grouped(made))
    await outbox.add_event(transaction, job["session"], told)


def _known(questions: list[Document]) -> Known:
    known = Known()
    for question in questions:
        known.add(question["text"], question["category"])
    return known


def _numbered(run: JobRun, question: Document, ordinal: int) -> Document:
    content = {name: value for name, value in question.items() if name != "lane"}
    of_job = {"generation": run.id, "ordinal": ordinal, "fingerprint": fingerprint(question["text"])}
    return {**new_question(run.document["session"], content, source="generated"), **of_job}


def _as_made(question: Document) -> Document:
    kept = {name: question[name] for name in ("category", "difficulty", "model", "lane")}
    return {"fingerprint": fingerprint(question["text"]), **kept}
