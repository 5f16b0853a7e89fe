"""Links to sessions in Mongo. They go by themselves a month after they have expired."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

#: So long one still sees in the list that there was a link, and how often it was looked at.
KEEP_EXPIRED_SECONDS = 30 * 24 * 3600
INDEXES: Indexes = {
    "shares": [
        IndexModel([("user", ASCENDING), ("session", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("tokenHash", ASCENDING)], unique=True),
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=KEEP_EXPIRED_SECONDS),
    ]
}


class ShareRepository:
    """Every method takes the owner first, but for those whose caller has a link."""

    def __init__(self, db: Database) -> None:
        self._shares = db.shares

    async def insert(self, user: ObjectId, share: Document, session: Session) -> None:
        """Stores a new link."""
        await self._shares.insert_one({**share, "user": user}, session=session)

    async def page(self, user: ObjectId, session_id: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest links to a session after a position."""
        return await NEWEST_FIRST.find(self._shares, {"user": user, "session": session_id}, limit, after)

    async def count(self, user: ObjectId, session_id: ObjectId, session: Session) -> int:
        """How many there are to a session, the expired ones among them."""
        return await self._shares.count_documents({"user": user, "session": session_id}, session=session)

    async def delete(self, user: ObjectId, session_id: ObjectId, share_id: ObjectId) -> bool:
        """False when the user's session has no such link."""
        deleted = await self._shares.delete_one({"_id": share_id, "user": user, "session": session_id})
        return deleted.deleted_count == 1

    async def delete_of_session(self, user: ObjectId, session_id: ObjectId, session: Session) -> None:
        """Removes all links to a session."""
        await self._shares.delete_many({"user": user, "session": session_id}, session=session)

    async def opened(self, token_hash: str, now: datetime) -> Document | None:
        """The link that works under this token: whoever asks has the token."""
        return await self._shares.find_one({"tokenHash": token_hash, "expiresAt": {"$gt": now}})

    async def count_view(self, share: Document) -> None:
        """One more look at it."""
        await self._shares.update_one({"_id": share["_id"], "user": share["user"]}, {"$inc": {"views": 1}})
