"""The rules of sessions."""

from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.events import SessionCreated, SessionDeleted
from qa_service.generation.service import GenerationService
from qa_service.questions.repository import QuestionRepository
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.schemas import SessionChange, SessionStart


class SessionService:
    """Sessions of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        sessions: SessionRepository,
        questions: QuestionRepository,
        generation: GenerationService,
    ) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions
        self._generation = generation

    async def start(self, user: ObjectId, wanted: SessionStart) -> Document:
        """Makes a session and, with it in one transaction, its first generation; emits `session.created`.

        Raises:
            TooManyRequestsError: the user's generations of this hour are used up.
            UnavailableError: too many generations wait already.
        """
        session = _new_session(wanted)
        if wanted.generate:
            await self._generation.check_may_start(user)

        async def store(transaction: MongoSession) -> Document:
            await self._sessions.insert(user, session, transaction)
            created = SessionCreated(user=user, role=wanted.role, topics=wanted.topics)
            await self._outbox.add_event(transaction, session["_id"], created)
            if not wanted.generate:
                return session
            job = await self._generation.add_job(transaction, user, session["_id"], wanted.question_count)
            return {**session, "generation": {"jobId": job["_id"], "status": job["status"]}}

        return await self._outbox.transaction(store)

    async def get(self, user: ObjectId, session_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such session."""
        if found := await self._sessions.get(user, session_id):
            return found
        raise NotFoundError("There is no such session.")

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the user's sessions, the newest first."""
        found = await self._sessions.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)

    async def change(self, user: ObjectId, session_id: ObjectId, change: SessionChange) -> Document:
        """The session after the change. Raises NotFoundError."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields and not await self._sessions.update(user, session_id, fields):
            raise NotFoundError("There is no such session.")
        return await self.get(user, session_id)

    async def delete(self, user: ObjectId, session_id: ObjectId) -> None:
        """Removes a session with its questions; emits `session.deleted`. Raises NotFoundError."""

        async def remove(transaction: MongoSession) -> None:
            if not await self._sessions.delete(user, session_id, transaction):
                raise NotFoundError("There is no such session.")
            await self._questions.delete_of_session(user, session_id, transaction)
            await self._outbox.add_event(transaction, session_id, SessionDeleted(user=user))

        await self._outbox.transaction(remove)

    async def with_questions(self, user: ObjectId, session_id: ObjectId) -> Document:
        """A session and all its questions in their list order. Raises NotFoundError."""
        session = await self.get(user, session_id)
        return {"session": session, "questions": await self._questions.all_of_session(user, session_id)}


def _new_session(wanted: SessionStart) -> Document:
    now = utc_now()
    fields = wanted.model_dump(by_alias=True, include={"role", "experience", "topics", "job_description"})
    title = wanted.title or f"{wanted.role} ({wanted.experience})"
    state = {"status": "pending", "questionCount": 0, "createdAt": now, "updatedAt": now}
    return {"_id": ObjectId(), "title": title, **fields, **state}
