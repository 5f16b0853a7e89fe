"""The rules of having a question written anew: one at a time, in a job."""

from bson import ObjectId

from intervai_shared.errors import ConflictError
from intervai_shared.jobs import FINAL
from intervai_shared.models import Document
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.jobs.repository import JobRepository
from qa_service.jobs.starter import JobStarter
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import found
from qa_service.rewriting.schemas import RewritingRequest
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import require_open
from qa_service.settings import QaSettings

KIND = "rewriting"
TOKENS = 1_000


class RewritingService:
    """Starts them; the worker's `Rewriter` does them."""

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

    async def start(self, user: ObjectId, question_id: ObjectId, wanted: RewritingRequest) -> Document:
        """Queues it; the job record.

        Raises:
            NotFoundError: the user has no such question.
            ConflictError: it is being written anew already, or its session is archived or cancelled.
            TooManyRequestsError: the user's limit is used up.
            UnavailableError: too many jobs wait already.
        """
        question = found(await self._questions.get(user, question_id))
        session = require_open(await self._sessions.get(user, question["session"]))
        if session["status"] == "cancelled":
            raise ConflictError("The session has been cancelled.")
        await self._starter.check(user, KIND, self._settings.rate_limit_rewriting)
        fields = {"question": question_id, "session": question["session"], **wanted.model_dump(by_alias=True)}

        async def store(transaction: MongoSession) -> Document:
            current = found(await self._questions.again(user, question, transaction))
            await self._require_idle(user, current)
            job = await self._starter.add(transaction, user, KIND, estimate_tokens=TOKENS, **fields)
            # Of two that start at the same time one begins anew here, and sees the other's job.
            await self._questions.mark(user, question, {"rewriting": job["_id"]}, transaction)
            return job

        return await self._outbox.transaction(store)

    async def _require_idle(self, user: ObjectId, question: Document) -> None:
        if not (job_id := question.get("rewriting")):
            return
        job = await self._jobs.get(user, job_id)
        if job and job["status"] not in FINAL:
            raise ConflictError("The question is being written anew already.", jobId=str(job_id))
