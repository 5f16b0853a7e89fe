"""Notifications in Mongo."""

from collections.abc import Sequence

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, compact, to_be_retried
from intervai_shared.resources import Indexes

INDEXES: Indexes = {
    "notifications": [IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort])],
    "notification_totals": [],
}


class NotificationRepository:
    """Every method takes the owner first. A person has so few that all of theirs are read by one index."""

    def __init__(self, db: Database) -> None:
        self._notifications = db.notifications
        self._totals = db.notification_totals

    async def insert(self, user: ObjectId, notification: Document, session: Session) -> None:
        """Stores a new one, and counts it. The count is what two at a time cannot both write: so one comes after the
        other, and the second sees the first."""
        try:
            await self._totals.update_one({"_id": user}, {"$inc": {"ever": 1}}, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error
        await self._notifications.insert_one({**notification, "user": user}, session=session)

    async def trim(self, user: ObjectId, kept: int, session: Session) -> None:
        """Removes all but the newest `kept`."""
        older = self._notifications.find({"user": user}, {"_id": True}, session=session)
        ids = [found["_id"] async for found in older.sort(NEWEST_FIRST.sort).skip(kept)]
        if ids:
            await self._notifications.delete_many({"user": user, "_id": {"$in": ids}}, session=session)

    async def get(self, user: ObjectId, notification_id: ObjectId) -> Document | None:
        """One notification of the user."""
        return await self._notifications.find_one({"_id": notification_id, "user": user})

    async def page(self, user: ObjectId, limit: int, after: Position | None, *, unread: bool) -> list[Document]:
        """The newest after a position; `unread`: only those."""
        where = {"user": user, "readAt": None} if unread else {"user": user}
        return await NEWEST_FIRST.find(self._notifications, where, limit, after)

    async def count_unread(self, user: ObjectId, session: Session | None = None) -> int:
        """How many the user has not read."""
        return await self._notifications.count_documents({"user": user, "readAt": None}, session=session)

    async def mark_read(self, user: ObjectId, ids: Sequence[ObjectId] | None, session: Session) -> int:
        """Those that are unread, of these ids or (None) of all; how many that were."""
        chosen = compact({"_id": {"$in": list(ids)} if ids is not None else None})
        where = {"user": user, **chosen, "readAt": None}
        marked = await self._notifications.update_many(where, {"$set": {"readAt": utc_now()}}, session=session)
        return marked.modified_count

    async def delete(self, user: ObjectId, notification_id: ObjectId | None, session: Session) -> int:
        """Removes one or (None) all of the user's; how many that were."""
        unwanted = compact({"user": user, "_id": notification_id})
        deleted = await self._notifications.delete_many(unwanted, session=session)
        return deleted.deleted_count
