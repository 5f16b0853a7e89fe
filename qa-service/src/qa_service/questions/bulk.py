"""One action on many questions, in one transaction."""

from collections import defaultdict

from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.questions.changes import change_of
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.schemas import BulkRequest
from qa_service.questions.service import deletion
from qa_service.sessions.repository import SessionRepository


class BulkService:
    """Questions of one owner at a time. The round trips to Mongo grow with the sessions, not with the ids."""

    def __init__(self, resources: Resources, sessions: SessionRepository, questions: QuestionRepository) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions

    async def do(self, user: ObjectId, wanted: BulkRequest) -> Document:
        """Does it to those questions that the user has and that are in no archived session; what became of each:
        `{items: [{id, status: done | notFound | archived}]}`, in the order asked for, each id once."""
        ids = list(dict.fromkeys(ObjectId(each) for each in wanted.ids))

        async def act(transaction: MongoSession) -> Document:
            known = await self._questions.get_many(user, ids, transaction)
            sessions = {question["session"] for question in known.values()}
            archived = await self._sessions.archived(user, list(sessions), transaction)
            usable = [question for question in known.values() if question["session"] not in archived]
            if usable:
                await self._act(user, usable, wanted, transaction)
            done = {question["_id"] for question in usable}
            return {"items": [{"id": str(each), "status": _status(each, done, known)} for each in ids]}

        return await self._outbox.transaction(act)

    async def _act(
        self, user: ObjectId, questions: list[Document], wanted: BulkRequest, transaction: MongoSession
    ) -> None:
        if wanted.action == "delete":
            await self._delete(user, questions, transaction)
        elif wanted.action == "setDifficulty":
            await self._set_difficulty(user, questions, str(wanted.difficulty), transaction)
        else:
            pin = {"isPinned": wanted.action == "pin"}
            changed = [(question, pin) for question in questions if question["isPinned"] != pin["isPinned"]]
            await self._update(user, changed, transaction)

    async def _delete(self, user: ObjectId, questions: list[Document], transaction: MongoSession) -> None:
        await self._questions.delete(user, questions, transaction)
        by_session = defaultdict(list)
        for question in questions:
            by_session[question["session"]].append(question)
        for session_id, gone in by_session.items():
            await self._sessions.add_questions(user, session_id, -len(gone), transaction)
        events = [(session_id, deletion(user, gone)) for session_id, gone in by_session.items()]
        await self._outbox.add_events(transaction, events)

    async def _set_difficulty(
        self, user: ObjectId, questions: list[Document], difficulty: str, transaction: MongoSession
    ) -> None:
        changes = [
            (question, event)
            for question in questions
            if (event := change_of(user, question, {"difficulty": difficulty}, "edit"))
        ]
        changed = [(question, {"difficulty": difficulty, "version": event.version}) for question, event in changes]
        await self._outbox.add_events(transaction, [(question["_id"], event) for question, event in changes])
        await self._update(user, changed, transaction)

    async def _update(
        self, user: ObjectId, changed: list[tuple[Document, Document]], transaction: MongoSession
    ) -> None:
        if changed:
            await self._questions.update_each(user, changed, transaction)


def _status(question_id: ObjectId, done: set[ObjectId], known: dict[ObjectId, Document]) -> str:
    if question_id in done:
        return "done"
    return "archived" if question_id in known else "notFound"
