"""The audit log in Mongo: entries are added and read, never changed."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from auth_service.audit.schemas import NEWEST_FIRST
from intervai_shared.http.paging import Position
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

#: Seconds for which an entry is kept: long enough to look into a break-in that was noticed late.
KEEP_SECONDS = 400 * 24 * 3600
INDEXES = {
    "audit": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("at", ASCENDING)], expireAfterSeconds=KEEP_SECONDS),
    ]
}


class AuditRepository:
    """`user` is whose account it is about, or None when it is about none."""

    def __init__(self, db: Database) -> None:
        self._audit = db.audit

    async def insert(self, entry: Document, session: Session | None) -> None:
        """Adds an entry."""
        await self._audit.insert_one(entry, session=session)

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest entries about a person's account after a position."""
        return await NEWEST_FIRST.find(self._audit, {"user": user}, limit, after)
