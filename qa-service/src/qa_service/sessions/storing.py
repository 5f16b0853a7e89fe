"""Sessions that come with their questions: copies and imports."""

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.events import QuestionsAdded, SessionCreated, grouped
from qa_service.questions.repository import QuestionRepository
from qa_service.sessions.repository import SessionRepository

#: Of the transaction: 2,000 questions are 2 s for the embedded Mongo engine on a machine that does nothing else.
_PATIENCE = 8


class WholeSessions:
    """Stores a session and its questions."""

    def __init__(self, resources: Resources, sessions: SessionRepository, questions: QuestionRepository) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions

    async def store(self, user: ObjectId, session: Document, questions: list[Document]) -> Document:
        """The session, once all is in, by one transaction; emits `session.created` and `questions.added`."""

        async def effect(transaction: MongoSession) -> Document:
            await self._sessions.insert(user, session, transaction)
            created = SessionCreated(user=user, role=session["role"], topics=session["topics"])
            await self._outbox.add_event(transaction, session["_id"], created)
            if questions:
                await self._questions.insert(user, questions, transaction)
                added = QuestionsAdded(user=user, count=len(questions), groups=grouped(questions))
                await self._outbox.add_event(transaction, session["_id"], added)
            return session

        return await self._outbox.transaction(effect, _PATIENCE)


def new_session(described: Document, questions: int) -> Document:
    """A session to store that has so many questions; `described` holds title, role, experience and topics."""
    now = utc_now()
    state = {"status": "in-progress" if questions else "pending", "questionCount": questions}
    return {"_id": ObjectId(), **described, **state, "createdAt": now, "updatedAt": now}
