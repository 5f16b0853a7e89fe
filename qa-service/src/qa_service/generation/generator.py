"""Does a generation: ask the model, keep the reply, check it, store the questions once."""

from dataclasses import dataclass

from bson import ObjectId
from pydantic import ValidationError

from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.generation.model import QuestionModel, Reply, ReplyCutError
from qa_service.generation.repository import ReplyJournal
from qa_service.generation.schemas import GeneratedSet
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import new_question
from qa_service.sessions.repository import SessionRepository


class InvalidReplyError(Exception):
    """The reply does not fit the schema: worth another attempt."""


@dataclass(frozen=True)
class GenerationStore:
    """What a generation reads and writes."""

    records: JobRecords
    journal: ReplyJournal
    sessions: SessionRepository
    questions: QuestionRepository
    outbox: Outbox


class Generator:
    """Makes the questions of a job, `batch` at most in one call of the model."""

    def __init__(self, model: QuestionModel, batch: int, store: GenerationStore) -> None:
        self._model = model
        self._batch = batch
        self._records = store.records
        self._journal = store.journal
        self._sessions = store.sessions
        self._questions = store.questions
        self._outbox = store.outbox

    async def run(self, job_id: ObjectId) -> None:
        """Does a generation. Idempotent: the job's lease lets one run at a time in, its replies are journalled, and
        its questions are stored in the same transaction that ends it."""
        await self._records.run(job_id, self._generate)

    async def _generate(self, run: JobRun) -> Document:
        user, session_id = run.document["user"], run.document["session"]
        session = await self._sessions.get(user, session_id)
        if session is None:
            raise PermanentError("The session has been deleted.")
        known = await self._questions.texts_of_session(user, session_id)
        await run.progress(10)
        questions = await self._collect(run, session, known)
        if not questions:
            raise PermanentError("The model found no further questions on these topics.")
        await run.progress(90)
        return await self._store(run, questions)

    async def _collect(self, run: JobRun, session: Document, known: list[str]) -> list[Document]:
        """Asks in batches until there are enough, or the model has no new ones."""
        wanted, batch = run.document["count"], self._batch
        found: list[Document] = []
        seen = {_normalised(text) for text in known}
        for call in range(2 * wanted):
            ask = min(batch, wanted - len(found))
            if ask == 0:
                break
            interview = _interview(run.document, session, ask, known + [question["text"] for question in found])
            try:
                reply = await self._reply(run, call, interview)
            except ReplyCutError:
                if ask == 1:
                    raise
                batch = max(1, ask // 2)
                continue
            new = [question for question in _parse(reply) if _is_new(question, seen)][:ask]
            if not new:
                break
            found.extend(new)
            await run.progress(10 + 80 * len(found) // wanted)
        return found

    async def _reply(self, run: JobRun, call: int, interview: Document) -> Reply:
        user = run.document["user"]
        if kept := await self._journal.get(user, run.id, call):
            return kept
        reply = await self._model.ask(interview)
        try:
            GeneratedSet.model_validate_json(reply.content)
        except ValidationError as error:
            # Not kept: another attempt shall ask again.
            log.warning(
                "reply does not fit the schema", jobId=str(run.id), model=reply.model, problems=len(error.errors())
            )
            raise InvalidReplyError from error
        await self._journal.put(user, run.id, call, reply)
        return reply

    async def _store(self, run: JobRun, questions: list[Document]) -> Document:
        user, session_id = run.document["user"], run.document["session"]
        numbered = [
            {**new_question(session_id, question, source="generated"), "generation": run.id, "ordinal": ordinal}
            for ordinal, question in enumerate(questions)
        ]
        result = {"questions": len(numbered), "requested": run.document["count"], "model": questions[0]["model"]}

        async def effect(transaction: Session) -> None:
            if not await self._sessions.add_questions(user, session_id, len(numbered), transaction):
                raise PermanentError("The session has been deleted.")
            await run.succeed(transaction, result=result)
            await self._questions.insert(user, numbered, transaction)
            await self._sessions.begin(user, session_id, transaction)
            data = {"user": str(user), "jobId": str(run.id), "count": len(numbered)}
            await self._outbox.add_event(transaction, "questions.generated", session_id, data)

        await self._outbox.transaction(effect)
        return {"result": result}


def _interview(job: Document, session: Document, count: int, exclude: list[str]) -> Document:
    return {
        "role": session["role"],
        "experience": session["experience"],
        "topics": job.get("topics") or session["topics"],
        "count": count,
        "difficulty": job.get("difficulty"),
        "exclude": exclude,
        "jobDescription": session.get("jobDescription"),
    }


def _parse(reply: Reply) -> list[Document]:
    parsed = GeneratedSet.model_validate_json(reply.content)
    return [{**question.model_dump(by_alias=True), "model": reply.model} for question in parsed.questions]


def _is_new(question: Document, seen: set[str]) -> bool:
    """Whether nobody has asked it yet in this session; remembers it."""
    key = _normalised(question["text"])
    if key in seen:
        return False
    seen.add(key)
    return True


def _normalised(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())
