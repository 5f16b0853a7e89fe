"""Files of avatars in Mongo: whatever may lie in S3 has a record here, from before its upload is allowed."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

#: Files of the sweep that are looked at in one go.
BATCH = 100

INDEXES: Indexes = {
    "avatars": [
        IndexModel([("user", ASCENDING), ("state", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("createdAt", ASCENDING)]),
    ]
}


class AvatarRepository:
    """`state` is uploading, current (the person's avatar) or discarded. Every method that a person causes takes the
    owner first."""

    def __init__(self, db: Database) -> None:
        self._avatars = db.avatars

    async def insert(self, user: ObjectId, avatar: Document, session: Session) -> None:
        """Stores the record of a file that is to come."""
        await self._avatars.insert_one({**avatar, "user": user}, session=session)

    async def get(self, user: ObjectId, avatar_id: ObjectId) -> Document | None:
        """One record of the user."""
        return await self._avatars.find_one({"_id": avatar_id, "user": user})

    async def current(self, user: ObjectId) -> list[Document]:
        """What is the user's avatar now: one or none, but for a moment."""
        return await self._avatars.find({"user": user, "state": "current"}).to_list()

    async def choose(self, user: ObjectId, avatar_id: ObjectId, session: Session) -> bool:
        """Makes it current; False when it has been discarded."""
        where = {"_id": avatar_id, "user": user, "state": {"$in": ["uploading", "current"]}}
        chosen = await self._avatars.update_one(where, {"$set": {"state": "current"}}, session=session)
        return chosen.matched_count == 1

    async def discard(self, user: ObjectId, avatar_id: ObjectId) -> None:
        """One that is of no use."""
        await self._avatars.update_one({"_id": avatar_id, "user": user}, {"$set": {"state": "discarded"}})

    async def discard_current(self, user: ObjectId, session: Session, *, but: ObjectId | None = None) -> None:
        """All that are current, but for one."""
        where = {"user": user, "state": "current", "_id": {"$ne": but}}
        await self._avatars.update_many(where, {"$set": {"state": "discarded"}}, session=session)

    async def unwanted(self, older_than: datetime) -> list[Document]:
        """Some of those, whoever's they are, that are no avatar and will be none: for the sweep."""
        where = {"state": {"$in": ["uploading", "discarded"]}, "createdAt": {"$lt": older_than}}
        return await self._avatars.find(where).limit(BATCH).to_list()

    async def remove(self, avatars: list[Document]) -> None:
        """The records of files that are gone, if they are as they were."""
        for avatar in avatars:
            seen = {key: avatar[key] for key in ("_id", "user", "state")}
            await self._avatars.delete_one(seen)
