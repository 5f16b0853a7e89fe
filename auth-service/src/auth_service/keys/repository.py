"""Signing keys in Mongo, sealed."""

from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {"signing_keys": [IndexModel([("number", ASCENDING)], unique=True)]}


class KeyRepository:
    """`_id` is the `kid`; `number` counts the keys, so that two processes cannot make the same next one."""

    def __init__(self, db: Database) -> None:
        self._keys = db.signing_keys

    async def all(self, session: Session | None = None) -> list[Document]:
        """All keys, the newest first, the revoked ones among them."""
        return await self._keys.find(session=session).sort("number", DESCENDING).to_list()

    async def usable(self) -> list[Document]:
        """Those that were not revoked, the newest first."""
        return [key for key in await self.all() if not key.get("revokedAt")]

    async def insert(self, key: Document, session: Session | None = None) -> None:
        """Raises pymongo.errors.DuplicateKeyError when another process was first."""
        await self._keys.insert_one(key, session=session)

    async def revoke(self, kid: str, at: datetime, session: Session) -> bool:
        """Takes the private part away for good; False when that has happened before, or there is no such key."""
        change = {"$set": {"revokedAt": at}, "$unset": {"sealed": ""}}
        result = await self._keys.update_one({"_id": kid, "revokedAt": {"$exists": False}}, change, session=session)
        return result.modified_count == 1

    async def delete(self, kid: str) -> None:
        """Forgets a key."""
        await self._keys.delete_one({"_id": kid})
