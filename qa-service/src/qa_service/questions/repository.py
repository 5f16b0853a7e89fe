"""Questions in Mongo. Shard key: `session`, hashed; each carries its `user` too: every query names the owner."""

import re
from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from intervai_shared.http.paging import ListOrder, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, to_be_retried

PINNED_FIRST = ListOrder({"isPinned": bool, "createdAt": datetime, "_id": ObjectId})
INDEXES = {
    "questions": [
        IndexModel([("session", ASCENDING), *PINNED_FIRST.sort]),
        IndexModel([("user", ASCENDING), ("_id", ASCENDING)]),
        # A unique index of a sharded collection begins with its shard key.
        IndexModel(
            [("session", ASCENDING), ("generation", ASCENDING), ("ordinal", ASCENDING)],
            unique=True,
            partialFilterExpression={"generation": {"$exists": True}},
        ),
        # Of generated questions: a person gets none twice, in whatever session. No unique index says so across shards:
        # see `take_turn`.
        IndexModel(
            [("user", ASCENDING), ("fingerprint", ASCENDING), ("session", ASCENDING)],
            partialFilterExpression={"fingerprint": {"$exists": True}},
        ),
    ],
    "question_turns": [],
}
#: What a list does not show, and what may be longer than all the rest.
_LONG = {"explanation": 0}
_BRIEF = {"text": 1, "category": 1, "session": 1, "_id": 0}


class QuestionRepository:
    """Every method takes the owner first. With a question goes what lies in collections of it."""

    def __init__(self, db: Database) -> None:
        self._questions = db.questions
        self._items = db.collection_items
        self._turns = db.question_turns

    async def take_turn(self, user: ObjectId, session: Session) -> None:
        """Of two transactions with this for one user the second begins again when the first has ended: so nothing that
        the first has stored is missing from what the second sees, whichever sessions they store into."""
        try:
            await self._turns.update_one({"_id": user}, {"$inc": {"taken": 1}}, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error

    async def insert(self, user: ObjectId, questions: list[Document], session: Session) -> None:
        """Raises pymongo.errors.BulkWriteError when a generation has such an ordinal already."""
        await self._questions.insert_many([{**question, "user": user} for question in questions], session=session)

    async def get(self, user: ObjectId, question_id: ObjectId, session: Session | None = None) -> Document | None:
        """One question of the user. Whoever has it already, and asks anew, takes `again`: this asks every shard."""
        return await self._questions.find_one({"_id": question_id, "user": user}, session=session)

    async def again(self, user: ObjectId, question: Document, session: Session | None = None) -> Document | None:
        """A question as it is now, or as a transaction sees it; of `question` its `_id` and `session` count."""
        return await self._questions.find_one(_place(user, question), session=session)

    async def get_many(
        self, user: ObjectId, question_ids: Sequence[ObjectId], session: Session | None = None
    ) -> dict[ObjectId, Document]:
        """Those of these questions that the user has, by id, without their explanations."""
        where = {"_id": {"$in": list(question_ids)}, "user": user}
        found = await self._questions.find(where, _LONG, session=session).to_list()
        return {question["_id"]: question for question in found}

    async def page(
        self, user: ObjectId, session_id: ObjectId, filters: Document, limit: int, after: Position | None
    ) -> list[Document]:
        """Questions of a session after a position: the pinned first, then the newest."""
        where = {"session": session_id, "user": user, **_conditions(filters)}
        return await PINNED_FIRST.find(self._questions, where, limit, after, _LONG)

    async def all_of_session(self, user: ObjectId, session_id: ObjectId) -> list[Document]:
        """All questions of a session in list order, without their explanations."""
        where = {"session": session_id, "user": user}
        return await self._questions.find(where, _LONG).sort(PINNED_FIRST.sort).to_list()

    async def texts_of_session(
        self, user: ObjectId, session_id: ObjectId, transaction: Session | None = None
    ) -> list[str]:
        """The texts only: what a further generation must not repeat."""
        where = {"session": session_id, "user": user}
        found = self._questions.find(where, {"text": 1, "_id": 0}, session=transaction)
        return [question["text"] for question in await found.to_list()]

    async def briefs_of_session(
        self, user: ObjectId, session_id: ObjectId, transaction: Session | None = None
    ) -> list[Document]:
        """`{text, category, session}` of all questions of a session."""
        where = {"session": session_id, "user": user}
        return await self._questions.find(where, _BRIEF, session=transaction).to_list()

    async def known(self, user: ObjectId, limit: int) -> list[Document]:
        """`{text, category, session}` of the user's newest questions in all sessions, the newest first."""
        return await self._questions.find({"user": user}, _BRIEF).sort("_id", DESCENDING).limit(limit).to_list()

    async def taken(self, user: ObjectId, fingerprints: list[str], session: Session) -> set[str]:
        """Those of these fingerprints that a generated question of the user has."""
        where = {"user": user, "fingerprint": {"$in": fingerprints}}
        found = await self._questions.find(where, {"fingerprint": 1, "_id": 0}, session=session).to_list()
        return {question["fingerprint"] for question in found}

    async def newest(self, user: ObjectId, filters: Document, limit: int, answer_chars: int) -> list[Document]:
        """What a search looks at, of the user's newest questions: text, category and the beginning of the answer."""
        fields = {"text": 1, "category": 1, "answer": {"$substrCP": ["$answer", 0, answer_chars]}}
        found = self._questions.find({"user": user, **filters}, fields)
        return await found.sort("_id", DESCENDING).limit(limit).to_list()

    async def count_by_kind(self, user: ObjectId, session_id: ObjectId) -> list[Document]:
        """`{_id: {difficulty, category, source, isPinned}, count}` for each kind of question of a session."""
        kind = {field: f"${field}" for field in ("difficulty", "category", "source", "isPinned")}
        where: Document = {"$match": {"session": session_id, "user": user}}
        return await (
            await self._questions.aggregate([where, {"$group": {"_id": kind, "count": {"$sum": 1}}}])
        ).to_list()

    async def update(
        self, user: ObjectId, question: Document, fields: Document, session: Session | None = None
    ) -> bool:
        """False when the user has no such question; of `question` its `_id` and `session` count."""
        change = {"updatedAt": utc_now(), **fields}
        return await self.mark(user, question, change, session)

    async def mark(self, user: ObjectId, question: Document, fields: Document, session: Session | None = None) -> bool:
        """Sets what is no change of the question itself. False when the user has no such question; of `question` its
        `_id` and `session` count."""
        where = _place(user, question)
        return (await self._questions.update_one(where, {"$set": fields}, session=session)).matched_count == 1

    async def update_each(self, user: ObjectId, changes: Sequence[tuple[Document, Document]], session: Session) -> int:
        """Sets fields of several questions, `(question, fields)` each, in one round trip; how many there were."""
        now = utc_now()
        updates = [
            UpdateOne(_place(user, question), {"$set": {**fields, "updatedAt": now}}) for question, fields in changes
        ]
        return (await self._questions.bulk_write(updates, session=session)).matched_count

    async def delete(self, user: ObjectId, questions: Sequence[Document], session: Session) -> int:
        """How many of them the user had; of each its `_id` and `session` count."""
        ids = {"$in": [question["_id"] for question in questions]}
        await self._items.delete_many({"user": user, "question": ids}, session=session)
        where = {"session": {"$in": list({question["session"] for question in questions})}, "_id": ids, "user": user}
        return (await self._questions.delete_many(where, session=session)).deleted_count

    async def delete_of_session(self, user: ObjectId, session_id: ObjectId, session: Session) -> None:
        """Removes all questions of a session."""
        where = {"session": session_id, "user": user}
        await self._items.delete_many(where, session=session)
        await self._questions.delete_many(where, session=session)


class ChangeLog:
    """The changes of a question's content, as its events in the log tell them. The oldest go only with the person."""

    def __init__(self, db: Database) -> None:
        self._events = db.events

    async def newest(
        self, user: ObjectId, question_id: ObjectId, limit: int, before: ObjectId | None = None
    ) -> list[Document]:
        """Events `question.changed`, the newest first; `before`: only what came before this one."""
        position = {"_id": {"$lt": before}} if before else {}
        found = self._events.find({**_changes(user, question_id), **position})
        return await found.sort("_id", DESCENDING).limit(limit).to_list()

    async def causes(self, user: ObjectId, question_id: ObjectId, limit: int, session: Session) -> list[Document]:
        """`{_id, data: {cause}}` of the newest changes, the oldest of them first."""
        found = self._events.find(_changes(user, question_id), {"data.cause": 1}, session=session)
        return (await found.sort("_id", DESCENDING).limit(limit).to_list())[::-1]

    async def get(self, user: ObjectId, question_id: ObjectId, event_id: ObjectId, session: Session) -> Document | None:
        """One of these events."""
        return await self._events.find_one({"_id": event_id, **_changes(user, question_id)}, session=session)


def question_of(job: Document) -> Document:
    """The question that a job is about, as far as its record tells: `_id` and `session`."""
    return {"_id": job["question"], "session": job["session"]}


def _place(user: ObjectId, question: Document) -> Document:
    """A question by its shard key, its id and its owner."""
    return {"session": question["session"], "_id": question["_id"], "user": user}


def _changes(user: ObjectId, question_id: ObjectId) -> Document:
    return {"aggregateId": question_id, "type": "question.changed", "data.user": str(user)}


def _conditions(filters: Document) -> Document:
    """`q` is a plain piece of text, never a pattern."""
    where = dict(filters)
    if piece := where.pop("q", None):
        where["text"] = {"$regex": re.escape(piece), "$options": "i"}
    return where
