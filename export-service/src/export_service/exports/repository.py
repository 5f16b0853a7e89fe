"""Exports in Mongo: each is its own job record.

`contentHash` says what is in the file. `dedupe` is the same, but of one export only: the one that is answered to
whoever asks for such a file again.
"""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from export_service.exports.lifetime import IN_WORK
from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session, to_be_retried

INDEXES = {
    "exports": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("user", ASCENDING), ("status", ASCENDING)]),
        IndexModel(
            [("user", ASCENDING), ("dedupe", ASCENDING)],
            unique=True,
            partialFilterExpression={"dedupe": {"$exists": True}},
        ),
        SWEEP_INDEX,
    ]
}


class ExportRepository:
    """Every method that a person causes takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._exports = db.exports

    async def insert(self, user: ObjectId, export: Document, session: Session) -> None:
        """Stores a new export; the transaction begins again when another has taken its `dedupe` meanwhile."""
        try:
            await self._exports.insert_one({**export, "user": user}, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document | None:
        """One export of the user."""
        return await self._exports.find_one({"_id": export_id, "user": user})

    async def same(self, user: ObjectId, dedupe: str, session: Session | None = None) -> Document | None:
        """The user's export that stands for a content, whatever has become of it."""
        return await self._exports.find_one({"user": user, "dedupe": dedupe}, session=session)

    async def release(self, user: ObjectId, export_id: ObjectId, session: Session | None = None) -> bool:
        """Lets another export stand for the content. False when the user has no such export."""
        changed = await self._exports.update_one(
            {"_id": export_id, "user": user}, {"$unset": {"dedupe": ""}}, session=session
        )
        return changed.matched_count == 1

    async def stored(self, user: ObjectId, made_after: datetime, session: Session | None = None) -> int:
        """How many exports are in work, or have a file that was made after a time."""
        kept = [{"status": {"$in": IN_WORK}}, {"status": "succeeded", "finishedAt": {"$gt": made_after}}]
        return await self._exports.count_documents({"user": user, "$or": kept}, session=session)

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest exports after a position."""
        return await NEWEST_FIRST.find(self._exports, {"user": user}, limit, after)

    async def delete(self, user: ObjectId, export_id: ObjectId) -> bool:
        """False when the user has no such export."""
        deleted = await self._exports.delete_one({"_id": export_id, "user": user})
        return deleted.deleted_count == 1

    async def with_files(self, export_ids: list[ObjectId]) -> list[Document]:
        """Those of these exports, whoever's they are, that have a file or may get one: for the sweep of the bucket."""
        fields = {"format": 1, "contentHash": 1, "status": 1, "finishedAt": 1}
        where = {"_id": {"$in": export_ids}, "status": {"$nin": ["cancelled", "failed"]}}
        return await self._exports.find(where, fields).to_list()
