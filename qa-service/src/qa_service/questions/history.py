"""The history of a question, from the event log: its changes, what it was at a time, undo and redo."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.http.paging import ListOrder
from intervai_shared.models import Document
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.questions.changes import QuestionChanges
from qa_service.questions.repository import ChangeLog, QuestionRepository
from qa_service.questions.service import NOT_FOUND, found
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import require_open

#: How many changes undo looks back over.
MOST_STEPS = 1_000
#: How many changes an as-of view reads at a time; each may hold a long answer twice.
STRIDE = 50
NEWEST = ListOrder({"_id": ObjectId})
Direction = Literal["undo", "redo"]


class QuestionHistory:
    """Of questions of one owner at a time. Pins are not in it: they say nothing of the content."""

    def __init__(
        self, resources: Resources, sessions: SessionRepository, questions: QuestionRepository, log: ChangeLog
    ) -> None:
        self._outbox = resources.outbox
        self._sessions = sessions
        self._questions = questions
        self._changes = QuestionChanges(resources.outbox, questions)
        self._log = log

    async def page(self, user: ObjectId, question_id: ObjectId, limit: int, cursor: str | None) -> Document:
        """The changes of a question, the newest first. Raises NotFoundError."""
        position = NEWEST.position(cursor)
        found(await self._questions.get(user, question_id))
        events = await self._log.newest(user, question_id, limit + 1, position[0] if position else None)
        page = NEWEST.page(events, limit)
        return {**page, "items": [_shown(event) for event in page["items"]]}

    async def as_of(self, user: ObjectId, question_id: ObjectId, at: datetime) -> Document:
        """The question as it was at a time; its pin is today's. Raises NotFoundError when it was not there yet."""
        question = found(await self._questions.get(user, question_id))
        if at < question["createdAt"]:
            raise NotFoundError(NOT_FOUND)
        last: ObjectId | None = None
        while events := await self._log.newest(user, question_id, STRIDE, last):
            for event in events:
                if event["occurredAt"] <= at:
                    return {**question, "updatedAt": event["occurredAt"]}
                data, last = event["data"], event["_id"]
                question = {**question, **data["before"], "version": data["version"] - 1}
        return {**question, "updatedAt": question["createdAt"]} if last else question

    async def step(self, user: ObjectId, question_id: ObjectId, direction: Direction) -> Document:
        """Takes back the last change that still stands (undo), or the last undo (redo): as in an editor, a new change
        ends what could be redone. The question after it, which is a version of its own.

        Raises:
            NotFoundError: the user has no such question.
            ConflictError: there is nothing to take back, or the session is archived.
        """
        question = found(await self._questions.get(user, question_id))
        require_open(await self._sessions.get(user, question["session"]))

        async def store(transaction: MongoSession) -> Document:
            current = found(await self._questions.again(user, question, transaction))
            events = await self._log.causes(user, question_id, MOST_STEPS, transaction)
            undoable, redoable = stacks((event["_id"], event["data"]["cause"]) for event in events)
            stack = undoable if direction == "undo" else redoable
            event = await self._log.get(user, question_id, stack[-1], transaction) if stack else None
            if event is None:
                raise ConflictError(f"There is nothing to {direction}.")
            return await self._changes.apply(transaction, user, current, event["data"]["before"], direction)

        return await self._outbox.transaction(store)


def stacks(changes: Iterable[tuple[ObjectId, str]]) -> tuple[list[ObjectId], list[ObjectId]]:
    """What can be undone and what can be redone, the next one last, after changes `(id, cause)` from the first on.

    Both hold the change whose `before` is to be put back: an undo is itself a change, and a redo takes it back.
    """
    undoable: list[ObjectId] = []
    redoable: list[ObjectId] = []
    for change, cause in changes:
        if cause == "undo":
            # What it undid may lie further back than is looked at.
            undoable = undoable[:-1]
            redoable.append(change)
        else:
            undoable.append(change)
            redoable = redoable[:-1] if cause == "redo" else []
    return undoable, redoable


def _shown(event: Document) -> Document:
    data = event["data"]
    return {
        "version": data["version"],
        "at": event["occurredAt"],
        "cause": data["cause"],
        "fields": sorted(data["after"]),
        "before": data["before"],
        "after": data["after"],
    }
