"""Questions in Mongo. Shard key: `session`, hashed; each carries its `user` too: every query names the owner."""

import re
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import ListOrder, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

PINNED_FIRST = ListOrder({"isPinned": bool, "createdAt": datetime, "_id": ObjectId})
INDEXES = {
    "questions": [
        IndexModel([("session", ASCENDING), *PINNED_FIRST.sort]),
        IndexModel([("user", ASCENDING), ("_id", ASCENDING)]),
        IndexModel(
            [("generation", ASCENDING), ("ordinal", ASCENDING)],
            unique=True,
            partialFilterExpression={"generation": {"$exists": True}},
        ),
    ]
}


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
        self, user: ObjectId, session_id: ObjectId, filters: Document, limit: int, after: Position | None
    ) -> list[Document]:
        """Questions of a session after a position: the pinned first, then the newest."""
        where = {"session": session_id, "user": user, **_conditions(filters)}
        return await PINNED_FIRST.find(self._questions, where, limit, after)

    async def all_of_session(self, user: ObjectId, session_id: ObjectId) -> list[Document]:
        """All questions of a session in list order."""
        return await self._questions.find({"session": session_id, "user": user}).sort(PINNED_FIRST.sort).to_list()

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
