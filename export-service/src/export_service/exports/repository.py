"""Exports in Mongo: each is its own job record."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {"exports": [IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]), SWEEP_INDEX]}


class ExportRepository:
    """Every method that a person causes takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._exports = db.exports

    async def insert(self, user: ObjectId, export: Document, session: Session) -> None:
        """Stores a new export."""
        await self._exports.insert_one({**export, "user": user}, session=session)

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document | None:
        """One export of the user."""
        return await self._exports.find_one({"_id": export_id, "user": user})

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest exports after a position."""
        return await NEWEST_FIRST.find(self._exports, {"user": user}, limit, after)

    async def delete(self, user: ObjectId, export_id: ObjectId) -> bool:
        """False when the user has no such export."""
        deleted = await self._exports.delete_one({"_id": export_id, "user": user})
        return deleted.deleted_count == 1

    async def with_files(self, export_ids: list[ObjectId]) -> list[Document]:
        """Those of these exports, whoever's they are, that have a file or may get one: for the sweep of the bucket."""
        found = self._exports.find(
            {"_id": {"$in": export_ids}, "status": {"$nin": ["cancelled", "failed"]}}, {"format": 1}
        )
        return await found.to_list()
