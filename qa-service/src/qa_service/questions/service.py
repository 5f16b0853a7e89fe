"""The rules of questions."""

from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.events import QuestionsAdded, QuestionsDeleted, grouped
from qa_service.questions.changes import QuestionChanges
from qa_service.questions.repository import PINNED_FIRST, QuestionRepository
from qa_service.questions.schemas import NewQuestion, QuestionChange
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import require_open

NOT_FOUND = "There is no such question."


class QuestionService:
    """Questions of one owner at a time."""

    def __init__(self, resources: Resources, sessions: SessionRepository, questions: QuestionRepository) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions
        self._changes = QuestionChanges(resources.outbox, questions)

    async def page(
        self, user: ObjectId, session_id: ObjectId, filters: Document, limit: int, cursor: str | None
    ) -> Document:
        """A page of a session's questions: the pinned first, then the newest. Raises NotFoundError."""
        found = await self._questions.page(user, session_id, filters, limit + 1, PINNED_FIRST.position(cursor))
        if not found and await self._sessions.get(user, session_id) is None:
            raise NotFoundError("There is no such session.")
        return PINNED_FIRST.page(found, limit)

    async def stats(self, user: ObjectId, session_id: ObjectId) -> Document:
        """How many questions a session has, in all and of each kind. Raises NotFoundError."""
        kinds = await self._questions.count_by_kind(user, session_id)
        if not kinds and await self._sessions.get(user, session_id) is None:
            raise NotFoundError("There is no such session.")
        return _counted(kinds)

    async def add(self, user: ObjectId, session_id: ObjectId, wanted: NewQuestion) -> Document:
        """Adds a question of one's own; emits `questions.added`.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError: it is archived.
        """
        question = new_question(session_id, wanted.model_dump(by_alias=True), source="custom")

        async def store(transaction: MongoSession) -> Document:
            if not await self._sessions.add_questions(user, session_id, 1, transaction):
                require_open(await self._sessions.get(user, session_id))
            await self._questions.insert(user, [question], transaction)
            added = QuestionsAdded(user=user, count=1, groups=grouped([question]))
            await self._outbox.add_event(transaction, session_id, added)
            return question

        return await self._outbox.transaction(store)

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such question."""
        return found(await self._questions.get(user, question_id))

    async def change(self, user: ObjectId, question_id: ObjectId, change: QuestionChange) -> Document:
        """The question after the change; a change of what it says emits `question.changed`.

        Raises:
            NotFoundError: the user has no such question.
            ConflictError: its session is archived.
        """
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        question = await self.get(user, question_id)
        if not fields:
            return question
        require_open(await self._sessions.get(user, question["session"]))
        if fields.keys() == {"isPinned"}:
            await self._questions.update(user, question, fields)
            return await self.get(user, question_id)

        async def store(transaction: MongoSession) -> Document:
            current = found(await self._questions.again(user, question, transaction))
            return await self._changes.apply(transaction, user, current, fields, "edit")

        return await self._outbox.transaction(store)

    async def delete(self, user: ObjectId, question_id: ObjectId) -> None:
        """Removes a question; emits `questions.deleted`. Raises NotFoundError, ConflictError as `change` does."""
        question = await self.get(user, question_id)

        async def remove(transaction: MongoSession) -> None:
            if not await self._questions.delete(user, [question], transaction):
                raise NotFoundError(NOT_FOUND)
            if not await self._sessions.add_questions(user, question["session"], -1, transaction):
                require_open(await self._sessions.get(user, question["session"]))
            event = deletion(user, [question])
            await self._outbox.add_event(transaction, question["session"], event)

        await self._outbox.transaction(remove)


def new_question(session_id: ObjectId, content: Document, *, source: str) -> Document:
    """A question to store; `content` holds text, answer, difficulty, category, keyPoints and followUps."""
    now = utc_now()
    fresh = {"isPinned": False, "notes": "", "version": 1, "createdAt": now, "updatedAt": now}
    return {"_id": ObjectId(), "session": session_id, **fresh, **content, "source": source}


def found(question: Document | None) -> Document:
    """Raises NotFoundError when there is none."""
    if question is None:
        raise NotFoundError(NOT_FOUND)
    return question


def deletion(user: ObjectId, questions: list[Document]) -> QuestionsDeleted:
    """The event of the removal of questions from one session."""
    ids = [str(question["_id"]) for question in questions]
    return QuestionsDeleted(user=user, count=len(ids), groups=grouped(questions), questions=ids)


def _counted(kinds: list[Document]) -> Document:
    stats: Document = {"total": 0, "pinned": 0, "byDifficulty": {}, "byCategory": {}, "bySource": {}}
    for kind in kinds:
        count = kind["count"]
        stats["total"] += count
        stats["pinned"] += count if kind["_id"]["isPinned"] else 0
        for field in ("difficulty", "category", "source"):
            counts = stats[f"by{field.capitalize()}"]
            counts[kind["_id"][field]] = counts.get(kind["_id"][field], 0) + count
    return stats
