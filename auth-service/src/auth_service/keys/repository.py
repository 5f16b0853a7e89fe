"""Signing keys in Mongo, sealed."""

from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Database

INDEXES = {"signing_keys": [IndexModel([("number", ASCENDING)], unique=True)]}


class KeyRepository:
    """`_id` is the `kid`; `number` counts the keys, so that two processes cannot make the same next one."""

    def __init__(self, db: Database) -> None:
        self._keys = db.signing_keys

    async def all(self) -> list[Document]:
        """All keys, the newest first."""
        return await self._keys.find().sort("number", -1).to_list()

    async def insert(self, key: Document) -> None:
        """Raises pymongo.errors.DuplicateKeyError when another process was first."""
        await self._keys.insert_one(key)
