"""The rules of starting a generation: its limit, its job record, its message."""

from typing import Any

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.generation.schemas import GenerationRequest
from qa_service.jobs.repository import JobRepository
from qa_service.sessions.repository import SessionRepository
from qa_service.settings import QaSettings

KIND = "generation"
ACTOR = "generate_questions"
QUEUE = "generation"


class GenerationService:
    """Starts generations; the worker's `Generator` does them."""

    def __init__(
        self, resources: Resources, settings: QaSettings, sessions: SessionRepository, jobs: JobRepository
    ) -> None:
        self._resources = resources
        self._settings = settings
        self._sessions = sessions
        self._jobs = jobs

    async def check_may_start(self, user: ObjectId) -> None:
        """Counts one generation of the user. Raises TooManyRequestsError, and UnavailableError when too many wait."""
        await self._resources.backpressure.check(QUEUE, self._settings.queue_limit_generation)
        await self._resources.limits.hit(KIND, self._settings.rate_limit_generation, str(user))

    async def start(self, user: ObjectId, session_id: ObjectId, wanted: GenerationRequest) -> Document:
        """Queues a generation of more questions; the job record.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError: it has been cancelled.
            TooManyRequestsError: the user's generations of this hour are used up.
            UnavailableError: too many generations wait already.
        """
        session = await self._sessions.get(user, session_id)
        if session is None:
            raise NotFoundError("There is no such session.")
        if session["status"] == "cancelled":
            raise ConflictError("The session has been cancelled.")
        await self.check_may_start(user)
        extra = {"difficulty": wanted.difficulty, "topics": wanted.topics}

        async def store(transaction: Session) -> Document:
            return await self.add_job(transaction, user, session_id, wanted.count, **extra)

        return await self._resources.outbox.transaction(store)

    async def add_job(
        self, transaction: Session, user: ObjectId, session_id: ObjectId, count: int, **extra: Any
    ) -> Document:
        """Writes the job record and its message in the caller's transaction."""
        job = JobRecords.new(KIND, user, session=session_id, count=count, **extra)
        await self._jobs.insert(user, job, transaction)
        is_bulk = count >= self._settings.generation_bulk_from
        await self._resources.outbox.add_job(transaction, ACTOR, QUEUE, str(job["_id"]), bulk=is_bulk)
        return job
