"""Exports in Mongo: each is its own job record."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {"exports": [IndexModel([("user", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)])]}
#: Types of a list position: `createdAt`, `_id`.
POSITION = (datetime, ObjectId)


class ExportRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._exports = db.exports

    async def insert(self, user: ObjectId, export: Document, session: Session) -> None:
        """Stores a new export."""
        await self._exports.insert_one({**export, "user": user}, session=session)

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document | None:
        """One export of the user."""
        return await self._exports.find_one({"_id": export_id, "user": user})

    async def page(self, user: ObjectId, limit: int, after: list[object] | None) -> list[Document]:
        """The newest exports after a position."""
        where: Document = {"user": user}
        if after:
            created_at, last_id = after
            where["$or"] = [{"createdAt": {"$lt": created_at}}, {"createdAt": created_at, "_id": {"$lt": last_id}}]
        order = [("createdAt", DESCENDING), ("_id", DESCENDING)]
        return await self._exports.find(where).sort(order).limit(limit).to_list()

    async def delete(self, user: ObjectId, export_id: ObjectId) -> bool:
        """False when the user has no such export."""
        deleted = await self._exports.delete_one({"_id": export_id, "user": user})
        return deleted.deleted_count == 1
