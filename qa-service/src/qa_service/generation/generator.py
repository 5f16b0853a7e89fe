"""Does a generation: ask the model, keep the reply, check it, store the questions once."""

import unicodedata
from dataclasses import dataclass

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.events import QuestionsGenerated, grouped
from qa_service.generation.prompt import questions_prompt
from qa_service.generation.schemas import GeneratedSet
from qa_service.llm.model import Caller, LanguageModel
from qa_service.llm.replies import InvalidReplyError, Reply
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import new_question
from qa_service.sessions.repository import SessionRepository

#: Punctuation that tells apart what is asked about: C and C#, `&` and `*`.
_MEANINGFUL = frozenset("#&*/%@")


class RepeatedError(Exception):
    """Another generation, or the person, has meanwhile added one of these questions to the session."""


@dataclass(frozen=True)
class GenerationStore:
    """What a generation reads and writes."""

    sessions: SessionRepository
    questions: QuestionRepository
    outbox: Outbox


class Generator:
    """Makes the questions of a job, `batch` at most in one call of the model."""

    def __init__(self, model: LanguageModel, batch: int, store: GenerationStore) -> None:
        self._model = model
        self._batch = batch
        self._sessions = store.sessions
        self._questions = store.questions
        self._outbox = store.outbox

    async def work(self, run: JobRun) -> Document:
        """One attempt: its replies are journalled, its questions are stored in the transaction that ends the job."""
        user, session_id = run.document["user"], run.document["session"]
        await run.progress(10)
        while True:
            session = await self._sessions.get(user, session_id)
            if session is None:
                raise PermanentError("The session has been deleted.")
            if session["status"] == "cancelled":
                raise PermanentError("The session has been cancelled.")
            known = await self._questions.texts_of_session(user, session_id)
            questions = await self._collect(run, session, known)
            if not questions:
                raise PermanentError("The model found no further questions on these topics.")
            try:
                return await self._store(run, questions)
            except RepeatedError:
                # The journal gives back what has been paid for: only the repeated ones are asked anew.
                log.info("questions were added meanwhile", jobId=str(run.id))

    async def _collect(self, run: JobRun, session: Document, known: list[str]) -> list[Document]:
        """Asks in batches until there are enough, or the model has no new ones."""
        wanted, batch = run.document["count"], self._batch
        found: list[Document] = []
        seen = {_normalised(text) for text in known}
        for call in range(2 * wanted):
            ask = min(batch, wanted - len(found))
            interview = _interview(run.document, session, ask, known + [question["text"] for question in found])
            kept = await self._model.kept(_caller(run), str(call))
            reply = kept or await self._ask(run, call, interview)
            if reply.cut:
                batch = max(1, ask // 2)
                continue
            new = [question for question in _parse(reply) if _is_new(question, seen)]
            if not new and not kept:
                break
            found = (found + new)[:wanted]
            await run.progress(10 + 80 * len(found) // wanted)
            if len(found) == wanted:
                break
        return found

    async def _ask(self, run: JobRun, call: int, interview: Document) -> Reply:
        """A reply that is fit for use, or cut."""
        prompt = questions_prompt(interview)
        reply = await self._model.ask(_caller(run), str(call), prompt, GeneratedSet.model_validate_json)
        if reply.cut and interview["count"] == 1:
            raise InvalidReplyError
        return reply

    async def _store(self, run: JobRun, questions: list[Document]) -> Document:
        """Raises RepeatedError, PermanentError, LostLeaseError: then nothing has been stored."""
        user, session_id = run.document["user"], run.document["session"]
        numbered = [
            {**new_question(session_id, question, source="generated"), "generation": run.id, "ordinal": ordinal}
            for ordinal, question in enumerate(questions)
        ]
        result = {"questions": len(numbered), "requested": run.document["count"], "model": questions[0]["model"]}

        async def effect(transaction: Session) -> None:
            if not await self._sessions.add_questions(user, session_id, len(numbered), transaction):
                raise PermanentError("The session has been deleted.")
            # Whoever adds questions writes the session, so no other can come between this look and the commit.
            seen = {_normalised(text) for text in await self._questions.texts_of_session(user, session_id, transaction)}
            if not all(_is_new(question, seen) for question in questions):
                raise RepeatedError
            await run.succeed(transaction, result=result)
            await self._questions.insert(user, numbered, transaction)
            await self._sessions.begin(user, session_id, transaction)
            generated = QuestionsGenerated(user=user, job_id=run.id, count=len(numbered), groups=grouped(numbered))
            await self._outbox.add_event(transaction, session_id, generated)

        await self._outbox.transaction(effect)
        return {"result": result}


def _caller(run: JobRun) -> Caller:
    return Caller(run.document["user"], run.id)


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
    """Lower case, letters with their marks, numbers, operators, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(char if _is_meaningful(char) else " " for char in folded).split())


def _is_meaningful(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LMN" or category == "Sm" or char in _MEANINGFUL
