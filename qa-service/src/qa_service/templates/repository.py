"""Templates in Mongo."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

INDEXES: Indexes = {
    "templates": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("tokenHash", ASCENDING)], unique=True, partialFilterExpression={"tokenHash": {"$exists": True}}),
    ]
}


class TemplateRepository:
    """Every method takes the owner first, but for the one whose caller has a link."""

    def __init__(self, db: Database) -> None:
        self._templates = db.templates

    async def insert(self, user: ObjectId, template: Document, session: Session) -> None:
        """Stores a new template."""
        await self._templates.insert_one({**template, "user": user}, session=session)

    async def get(self, user: ObjectId, template_id: ObjectId) -> Document | None:
        """One template of the user."""
        return await self._templates.find_one({"_id": template_id, "user": user})

    async def count(self, user: ObjectId) -> int:
        """How many the user has."""
        return await self._templates.count_documents({"user": user})

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest templates after a position."""
        return await NEWEST_FIRST.find(self._templates, {"user": user}, limit, after)

    async def update(
        self, user: ObjectId, template_id: ObjectId, fields: Document, session: Session | None = None
    ) -> bool:
        """False when the user has no such template."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        changed = await self._templates.update_one({"_id": template_id, "user": user}, change, session=session)
        return changed.matched_count == 1

    async def unshare(self, user: ObjectId, template_id: ObjectId) -> bool:
        """Its link is gone. False when the user has no such template."""
        change = {"$unset": {"tokenHash": "", "sharedUntil": ""}, "$set": {"updatedAt": utc_now()}}
        changed = await self._templates.update_one({"_id": template_id, "user": user}, change)
        return changed.matched_count == 1

    async def delete(self, user: ObjectId, template_id: ObjectId) -> bool:
        """False when the user has no such template."""
        deleted = await self._templates.delete_one({"_id": template_id, "user": user})
        return deleted.deleted_count == 1

    async def shared(self, token_hash: str, now: datetime) -> Document | None:
        """The template of a link that works: whoever asks has its token."""
        return await self._templates.find_one({"tokenHash": token_hash, "sharedUntil": {"$gt": now}})
