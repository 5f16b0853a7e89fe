"""Questions in Mongo. Shard key: `session`, hashed; each carries its `user` too: every query names the owner."""

import re
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

_ORDER = [("isPinned", DESCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES = {
    "questions": [
        IndexModel([("session", ASCENDING), *_ORDER]),
        IndexModel(
            [("generation", ASCENDING), ("ordinal", ASCENDING)],
            unique=True,
            partialFilterExpression={"generation": {"$exists": True}},
        ),
    ]
}
#: Types of a list position: `isPinned`, `createdAt`, `_id`.
POSITION = (bool, datetime, ObjectId)


class QuestionRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._questions = db.questions

    async def insert(self, user: ObjectId, questions: list[Document], session: Session) -> None:
        """Raises pymongo.errors.BulkWriteError when a generation has such an ordinal already."""
        await self._questions.insert_many([{**question, "user": user} for question in questions], session=session)

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document | None:
        """One question of the user."""
        return await self._questions.find_one({"_id": question_id, "user": user})

    async def page(
        self, user: ObjectId, session_id: ObjectId, filters: Document, limit: int, after: list[object] | None
    ) -> list[Document]:
        """Questions of a session after a position: the pinned first, then the newest."""
        where = {"session": session_id, "user": user, **_conditions(filters)}
        if after:
            where["$or"] = _following(after)
        return await self._questions.find(where).sort(_ORDER).limit(limit).to_list()

    async def all_of_session(self, user: ObjectId, session_id: ObjectId) -> list[Document]:
        """All questions of a session in list order."""
        return await self._questions.find({"session": session_id, "user": user}).sort(_ORDER).to_list()

    async def texts_of_session(
        self, user: ObjectId, session_id: ObjectId, transaction: Session | None = None
    ) -> list[str]:
        """The texts only: what a further generation must not repeat."""
        where = {"session": session_id, "user": user}
        found = self._questions.find(where, {"text": 1, "_id": 0}, session=transaction)
        return [question["text"] for question in await found.to_list()]

    async def update(self, user: ObjectId, question_id: ObjectId, fields: Document) -> bool:
        """False when the user has no such question."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        changed = await self._questions.update_one({"_id": question_id, "user": user}, change)
        return changed.matched_count == 1

    async def delete(self, user: ObjectId, question_id: ObjectId, session: Session) -> bool:
        """False when the user has no such question."""
        deleted = await self._questions.delete_one({"_id": question_id, "user": user}, session=session)
        return deleted.deleted_count == 1

    async def delete_of_session(self, user: ObjectId, session_id: ObjectId, session: Session) -> None:
        """Removes all questions of a session."""
        await self._questions.delete_many({"session": session_id, "user": user}, session=session)


def _conditions(filters: Document) -> Document:
    """`q` is a plain piece of text, never a pattern."""
    where = dict(filters)
    if piece := where.pop("q", None):
        where["text"] = {"$regex": re.escape(piece), "$options": "i"}
    return where


def _following(after: list[object]) -> list[Document]:
    pinned, created_at, last_id = after
    return [
        {"isPinned": {"$lt": pinned}},
        {"isPinned": pinned, "createdAt": {"$lt": created_at}},
        {"isPinned": pinned, "createdAt": created_at, "_id": {"$lt": last_id}},
    ]
