"""The rules of starting a generation: its limit, its job record, its message."""

from typing import Any

from bson import ObjectId

from intervai_shared.errors import ConflictError
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.generation.schemas import GenerationRequest
from qa_service.jobs.starter import JobStarter
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import require_open
from qa_service.settings import QaSettings

KIND = "generation"
#: What a question with its answer takes, about.
TOKENS_OF_A_QUESTION = 400


class GenerationService:
    """Starts generations; the worker's `Generator` does them."""

    def __init__(
        self, resources: Resources, settings: QaSettings, sessions: SessionRepository, jobs: JobStarter
    ) -> None:
        self._resources = resources
        self._settings = settings
        self._sessions = sessions
        self._jobs = jobs

    async def check_may_start(self, user: ObjectId) -> None:
        """Counts one generation of the user. Raises TooManyRequestsError, and UnavailableError when too many wait."""
        await self._jobs.check(user, KIND, self._settings.rate_limit_generation)

    async def start(self, user: ObjectId, session_id: ObjectId, wanted: GenerationRequest) -> Document:
        """Queues a generation of more questions; the job record.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError: it has been cancelled, or archived.
            TooManyRequestsError: the user's generations of this hour are used up.
            UnavailableError: too many generations wait already.
        """
        session = await self._sessions.get(user, session_id)
        if require_open(session)["status"] == "cancelled":
            raise ConflictError("The session has been cancelled.")
        await self.check_may_start(user)
        extra = {"difficulty": wanted.difficulty, "topics": wanted.topics, "quality": wanted.quality}

        async def store(transaction: Session) -> Document:
            return await self.add_job(transaction, user, session_id, wanted.count, **extra)

        return await self._resources.outbox.transaction(store)

    async def add_job(
        self, transaction: Session, user: ObjectId, session_id: ObjectId, count: int, **extra: Any
    ) -> Document:
        """Writes the job record and its message in the caller's transaction."""
        return await self._jobs.add(
            transaction,
            user,
            KIND,
            bulk=count >= self._settings.generation_bulk_from,
            estimate_tokens=count * TOKENS_OF_A_QUESTION,
            session=session_id,
            count=count,
            **extra,
        )
