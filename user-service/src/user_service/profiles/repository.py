"""Profiles in Mongo."""

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

#: Read by `_id`, which is the account's id: no index of its own is needed.
INDEXES: Indexes = {"profiles": []}


class ProfileRepository:
    """One document a person."""

    def __init__(self, db: Database) -> None:
        self._profiles = db.profiles

    async def insert(self, user: ObjectId, fields: Document, session: Session) -> None:
        """Raises pymongo.errors.DuplicateKeyError when the person has a profile."""
        now = utc_now()
        await self._profiles.insert_one({"_id": user, **fields, "createdAt": now, "updatedAt": now}, session=session)

    async def get(self, user: ObjectId, session: Session | None = None) -> Document | None:
        """The person's profile."""
        return await self._profiles.find_one({"_id": user}, session=session)

    async def update(self, user: ObjectId, fields: Document, session: Session) -> bool:
        """False when there is no profile."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        changed = await self._profiles.update_one({"_id": user}, change, session=session)
        return changed.matched_count == 1
