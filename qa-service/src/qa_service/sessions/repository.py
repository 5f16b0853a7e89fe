"""Sessions in Mongo. Shard key: `user`, hashed.

An archived session has `isArchived: true` and `archivedAt`, another has neither: so both lists are a plain equality on
one index, also of sessions from before there was an archive.
"""

import re

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.mongo import Session as MongoSession

INDEXES = {
    "sessions": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("user", ASCENDING), ("status", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("isArchived", ASCENDING), *NEWEST_FIRST.sort]),
    ]
}


class SessionRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._sessions = db.sessions

    async def insert(self, user: ObjectId, session: Document, transaction: MongoSession) -> None:
        """Stores a new session."""
        await self._sessions.insert_one({**session, "user": user}, session=transaction)

    async def get(self, user: ObjectId, session_id: ObjectId) -> Document | None:
        """One session of the user."""
        return await self._sessions.find_one({"_id": session_id, "user": user})

    async def page(self, user: ObjectId, filters: Document, limit: int, after: Position | None) -> list[Document]:
        """The newest sessions after a position. `filters`: archived (bool), status, and q, a piece of the title."""
        where = {"user": user, **_conditions(filters)}
        return await NEWEST_FIRST.find(self._sessions, where, limit, after, {"resumeText": False})

    async def update(self, user: ObjectId, session_id: ObjectId, fields: Document) -> bool:
        """False when the user has no such session, or it is archived."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        changed = await self._sessions.update_one(_open(user, session_id), change)
        return changed.matched_count == 1

    async def archive(self, user: ObjectId, session_id: ObjectId) -> None:
        """Makes it read-only; nothing happens to one that is archived already."""
        now = utc_now()
        change = {"$set": {"isArchived": True, "archivedAt": now, "updatedAt": now}}
        await self._sessions.update_one(_open(user, session_id), change)

    async def restore(self, user: ObjectId, session_id: ObjectId) -> None:
        """Undoes `archive`; nothing happens to one that is not archived."""
        where = {"_id": session_id, "user": user, "isArchived": True}
        change = {"$unset": {"isArchived": "", "archivedAt": ""}, "$set": {"updatedAt": utc_now()}}
        await self._sessions.update_one(where, change)

    async def archived(self, user: ObjectId, session_ids: list[ObjectId], transaction: MongoSession) -> set[ObjectId]:
        """Those of these sessions that are archived."""
        where = {"_id": {"$in": session_ids}, "user": user, "isArchived": True}
        found = await self._sessions.find(where, {"_id": 1}, session=transaction).to_list()
        return {session["_id"] for session in found}

    async def count_link(self, user: ObjectId, session_id: ObjectId, transaction: MongoSession) -> bool:
        """One more link to it. A transaction with this and one that deletes the session come one after the other.
        False when the user has no such session."""
        where = {"_id": session_id, "user": user}
        changed = await self._sessions.update_one(where, {"$inc": {"links": 1}}, session=transaction)
        return changed.matched_count == 1

    async def add_questions(
        self, user: ObjectId, session_id: ObjectId, count: int, transaction: MongoSession | None = None
    ) -> bool:
        """Counts questions that came or (negative) went. False when the user has no such session, or it is archived:
        so whoever adds or removes questions in the transaction of this keeps to that without asking first."""
        change = {"$inc": {"questionCount": count}, "$set": {"updatedAt": utc_now()}}
        changed = await self._sessions.update_one(_open(user, session_id), change, session=transaction)
        return changed.matched_count == 1

    async def begin(self, user: ObjectId, session_id: ObjectId, transaction: MongoSession) -> None:
        """A pending session goes on; others stay as they are."""
        where = {"_id": session_id, "user": user, "status": "pending"}
        await self._sessions.update_one(where, {"$set": {"status": "in-progress"}}, session=transaction)

    async def delete(self, user: ObjectId, session_id: ObjectId, transaction: MongoSession) -> bool:
        """False when the user has no such session."""
        deleted = await self._sessions.delete_one({"_id": session_id, "user": user}, session=transaction)
        return deleted.deleted_count == 1


def _open(user: ObjectId, session_id: ObjectId) -> Document:
    """One that may be changed: `None` matches what is not there."""
    return {"_id": session_id, "user": user, "isArchived": None}


def _conditions(filters: Document) -> Document:
    """`q` is a plain piece of text, never a pattern."""
    where = dict(filters)
    where["isArchived"] = True if where.pop("archived", False) else None
    if piece := where.pop("q", None):
        where["title"] = {"$regex": re.escape(piece), "$options": "i"}
    return where
