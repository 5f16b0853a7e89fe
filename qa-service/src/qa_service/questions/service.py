"""The rules of questions."""

from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo
from intervai_shared.mongo import Session as MongoSession
from qa_service.questions.repository import PINNED_FIRST, QuestionRepository
from qa_service.questions.schemas import NewQuestion, QuestionChange
from qa_service.sessions.repository import SessionRepository


class QuestionService:
    """Questions of one owner at a time."""

    def __init__(self, mongo: Mongo, sessions: SessionRepository, questions: QuestionRepository) -> None:
        self._mongo = mongo
        self._sessions = sessions
        self._questions = questions

    async def page(
        self, user: ObjectId, session_id: ObjectId, filters: Document, limit: int, cursor: str | None
    ) -> Document:
        """A page of a session's questions: the pinned first, then the newest. Raises NotFoundError."""
        found = await self._questions.page(user, session_id, filters, limit + 1, PINNED_FIRST.position(cursor))
        if not found and await self._sessions.get(user, session_id) is None:
            raise NotFoundError("There is no such session.")
        return PINNED_FIRST.page(found, limit)

    async def add(self, user: ObjectId, session_id: ObjectId, wanted: NewQuestion) -> Document:
        """Adds a question of one's own. Raises NotFoundError when the user has no such session."""
        question = new_question(session_id, wanted.model_dump(by_alias=True), source="custom")

        async def store(transaction: MongoSession) -> Document:
            if not await self._sessions.add_questions(user, session_id, 1, transaction):
                raise NotFoundError("There is no such session.")
            await self._questions.insert(user, [question], transaction)
            return question

        return await self._mongo.transaction(store)

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such question."""
        if found := await self._questions.get(user, question_id):
            return found
        raise NotFoundError("There is no such question.")

    async def change(self, user: ObjectId, question_id: ObjectId, change: QuestionChange) -> Document:
        """The question after the change. Raises NotFoundError."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields and not await self._questions.update(user, question_id, fields):
            raise NotFoundError("There is no such question.")
        return await self.get(user, question_id)

    async def delete(self, user: ObjectId, question_id: ObjectId) -> None:
        """Removes a question. Raises NotFoundError."""
        question = await self.get(user, question_id)

        async def remove(transaction: MongoSession) -> None:
            if not await self._questions.delete(user, question_id, transaction):
                raise NotFoundError("There is no such question.")
            await self._sessions.add_questions(user, question["session"], -1, transaction)

        await self._mongo.transaction(remove)


def new_question(session_id: ObjectId, content: Document, *, source: str) -> Document:
    """A question to store; `content` holds text, answer, difficulty, category, keyPoints and followUps."""
    now = utc_now()
    fresh = {"isPinned": False, "notes": "", "createdAt": now, "updatedAt": now}
    return {"_id": ObjectId(), "session": session_id, **fresh, **content, "source": source}
