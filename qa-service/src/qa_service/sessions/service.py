"""The rules of sessions."""

from bson import ObjectId

from intervai_shared.errors import InvalidError, NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.mongo import compact, object_id
from intervai_shared.resources import Resources
from qa_service.events import SessionCreated, SessionDeleted
from qa_service.generation.service import GenerationService
from qa_service.questions.repository import QuestionRepository
from qa_service.resumes.repository import ResumeRepository
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import NOT_FOUND, require_open
from qa_service.sessions.schemas import SessionChange, SessionStart
from qa_service.shares.repository import ShareRepository


class SessionService:
    """Sessions of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        generation: GenerationService,
        sessions: SessionRepository,
        questions: QuestionRepository,
        shares: ShareRepository,
        resumes: ResumeRepository,
    ) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions
        self._generation = generation
        self._shares = shares
        self._resumes = resumes

    async def start(self, user: ObjectId, wanted: SessionStart) -> Document:
        """Makes a session and, with it in one transaction, its first generation; emits `session.created`.

        Raises:
            InvalidError: the user has no such résumé.
            TooManyRequestsError: the user's generations of this hour are used up.
            UnavailableError: too many generations wait already.
        """
        session = {**_new_session(wanted), **await self._resume(user, wanted.resume_id)}
        if wanted.generate:
            await self._generation.check_may_start(user)

        async def store(transaction: MongoSession) -> Document:
            await self._sessions.insert(user, session, transaction)
            created = SessionCreated(user=user, role=wanted.role, topics=wanted.topics)
            await self._outbox.add_event(transaction, session["_id"], created)
            if not wanted.generate:
                return session
            extra = compact({"difficulty": wanted.difficulty, "quality": wanted.quality})
            job = await self._generation.add_job(transaction, user, session["_id"], wanted.question_count, **extra)
            return {**session, "generation": {"jobId": job["_id"], "status": job["status"]}}

        return await self._outbox.transaction(store)

    async def get(self, user: ObjectId, session_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such session."""
        if found := await self._sessions.get(user, session_id):
            return found
        raise NotFoundError(NOT_FOUND)

    async def page(self, user: ObjectId, filters: Document, limit: int, cursor: str | None) -> Document:
        """A page of the user's sessions, the newest first."""
        found = await self._sessions.page(user, filters, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)

    async def change(self, user: ObjectId, session_id: ObjectId, change: SessionChange) -> Document:
        """The session after the change. Raises NotFoundError, InvalidError when the user has no such résumé, and
        ConflictError when the session is archived."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if "resumeId" in fields:
            fields |= await self._resume(user, change.resume_id) or {"resumeId": None, "resumeText": None}
        if fields and not await self._sessions.update(user, session_id, fields):
            require_open(await self._sessions.get(user, session_id))
        return await self.get(user, session_id)

    async def archive(self, user: ObjectId, session_id: ObjectId) -> Document:
        """The session, read-only from now on. Idempotent. Raises NotFoundError."""
        await self._sessions.archive(user, session_id)
        return await self.get(user, session_id)

    async def restore(self, user: ObjectId, session_id: ObjectId) -> Document:
        """The session, which can be changed again. Idempotent. Raises NotFoundError."""
        await self._sessions.restore(user, session_id)
        return await self.get(user, session_id)

    async def delete(self, user: ObjectId, session_id: ObjectId) -> None:
        """Removes a session with its questions and links; emits `session.deleted`. Raises NotFoundError."""

        async def remove(transaction: MongoSession) -> None:
            if not await self._sessions.delete(user, session_id, transaction):
                raise NotFoundError(NOT_FOUND)
            await self._questions.delete_of_session(user, session_id, transaction)
            await self._shares.delete_of_session(user, session_id, transaction)
            await self._outbox.add_event(transaction, session_id, SessionDeleted(user=user))

        await self._outbox.transaction(remove)

    async def with_questions(self, user: ObjectId, session_id: ObjectId) -> Document:
        """A session and all its questions in their list order. Raises NotFoundError."""
        session = await self.get(user, session_id)
        return {"session": session, "questions": await self._questions.all_of_session(user, session_id)}

    async def _resume(self, user: ObjectId, resume_id: str | None) -> Document:
        """What a session keeps of a résumé: its text as it is now, so that a generation needs no other read, and goes
        on as it began when the résumé is deleted."""
        if resume_id is None:
            return {}
        resume = await self._resumes.get(user, object_id(resume_id))
        if resume is None or resume["state"] != "ready":
            raise InvalidError([{"field": "resumeId", "message": "there is no such résumé"}])
        return {"resumeId": resume["_id"], "resumeText": resume["text"]}


def _new_session(wanted: SessionStart) -> Document:
    now = utc_now()
    fields = wanted.model_dump(by_alias=True, include={"role", "experience", "topics", "job_description"})
    title = wanted.title or f"{wanted.role} ({wanted.experience})"
    state = {"status": "pending", "questionCount": 0, "createdAt": now, "updatedAt": now}
    return {"_id": ObjectId(), "title": title, **fields, **state}
