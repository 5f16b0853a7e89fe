"""Sessions in Mongo. Shard key: `user`, hashed."""

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

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest sessions after a position."""
        return await NEWEST_FIRST.find(self._sessions, {"user": user}, limit, after)

    async def update(self, user: ObjectId, session_id: ObjectId, fields: Document) -> bool:
        """False when the user has no such session."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        changed = await self._sessions.update_one({"_id": session_id, "user": user}, change)
        return changed.matched_count == 1

    async def add_questions(
        self, user: ObjectId, session_id: ObjectId, count: int, transaction: MongoSession | None = None
    ) -> bool:
        """Counts questions that came or (negative) went. False when the user has no such session."""
        where = {"_id": session_id, "user": user}
        change = {"$inc": {"questionCount": count}, "$set": {"updatedAt": utc_now()}}
        changed = await self._sessions.update_one(where, change, session=transaction)
        return changed.matched_count == 1

    async def begin(self, user: ObjectId, session_id: ObjectId, transaction: MongoSession) -> None:
        """A pending session goes on; others stay as they are."""
        where = {"_id": session_id, "user": user, "status": "pending"}
        await self._sessions.update_one(where, {"$set": {"status": "in-progress"}}, session=transaction)

    async def delete(self, user: ObjectId, session_id: ObjectId, transaction: MongoSession) -> bool:
        """False when the user has no such session."""
        deleted = await self._sessions.delete_one({"_id": session_id, "user": user}, session=transaction)
        return deleted.deleted_count == 1
