"""The rules of explanations: made once for what a question says, kept with it, and gone with it."""

import hashlib

import orjson
from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.jobs import FINAL
from intervai_shared.models import Document
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.jobs.repository import JobRepository
from qa_service.jobs.starter import JobStarter
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import found
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import require_open
from qa_service.settings import QaSettings

KIND = "explanation"
TOKENS = 2_500
#: What an explanation is made for: when one of these changes, it is stale.
EXPLAINED = ("text", "answer", "keyPoints")


class ExplanationService:
    """Of questions of one owner at a time; the worker's `Explainer` makes them."""

    def __init__(
        self,
        resources: Resources,
        settings: QaSettings,
        sessions: SessionRepository,
        questions: QuestionRepository,
        jobs: JobRepository,
        starter: JobStarter,
    ) -> None:
        self._outbox = resources.outbox
        self._settings = settings
        self._sessions = sessions
        self._questions = questions
        self._jobs = jobs
        self._starter = starter

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such question, or it has no explanation yet."""
        if explanation := explanation_of(found(await self._questions.get(user, question_id))):
            return explanation
        raise NotFoundError("The question has no explanation yet.")

    async def ask(self, user: ObjectId, question_id: ObjectId) -> Document:
        """The explanation, if there is one that is not stale; else the record of the job that makes it (it has
        `kind`), which may be under way already.

        Raises:
            NotFoundError: the user has no such question.
            ConflictError: its session is archived.
            TooManyRequestsError: the user's limit is used up.
            UnavailableError: too many jobs wait already.
        """
        question = found(await self._questions.get(user, question_id))
        known = explanation_of(question)
        if known and not known["isStale"]:
            return known
        if job := await self._under_way(user, question):
            return job
        require_open(await self._sessions.get(user, question["session"]))
        await self._starter.check(user, KIND, self._settings.rate_limit_explanation)

        async def store(transaction: MongoSession) -> Document:
            current = found(await self._questions.again(user, question, transaction))
            if job := await self._under_way(user, current):
                return job
            fields = {"question": question_id, "session": current["session"]}
            job = await self._starter.add(transaction, user, KIND, estimate_tokens=TOKENS, **fields)
            # Of two that ask at the same time one begins anew here, and finds the other's job.
            started = {"explaining": {"job": job["_id"], "madeFor": made_for(current)}}
            await self._questions.mark(user, question, started, transaction)
            return job

        return await self._outbox.transaction(store)

    async def _under_way(self, user: ObjectId, question: Document) -> Document | None:
        """The job that is explaining what the question says now."""
        explaining = question.get("explaining")
        if not explaining or explaining["madeFor"] != made_for(question):
            return None
        job = await self._jobs.get(user, explaining["job"])
        return job if job and job["status"] not in FINAL else None


def made_for(question: Document) -> str:
    """A hash of what a question says."""
    said = orjson.dumps([question[name] for name in EXPLAINED])
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def explanation_of(question: Document) -> Document | None:
    """As it is answered."""
    stored = question.get("explanation")
    if not stored:
        return None
    return {**stored, "questionId": question["_id"], "isStale": stored["madeFor"] != made_for(question)}
