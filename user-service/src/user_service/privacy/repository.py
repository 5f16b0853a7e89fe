"""Erasures of people, as all services do them together, and the files of their data, in Mongo."""

from collections.abc import AsyncIterator
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

INDEXES: Indexes = {
    "erasure_records": [
        IndexModel([("user", ASCENDING)], unique=True),
        IndexModel([("receiptHash", ASCENDING)], unique=True),
    ],
    "data_files": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("key", ASCENDING)], unique=True),
        IndexModel([("createdAt", ASCENDING)]),
        SWEEP_INDEX,
    ],
}


class ErasureRepository:
    """One document a person who has asked to be erased. It stays: a record that names nobody but by the bare id."""

    def __init__(self, db: Database) -> None:
        self._records = db.erasure_records

    async def everybody(self) -> AsyncIterator[Document]:
        """All of them, the oldest first: for operators."""
        async for record in self._records.find().sort("_id", ASCENDING):
            yield record

    async def of_user(self, user: ObjectId, session: Session) -> Document | None:
        """The person's erasure."""
        return await self._records.find_one({"user": user}, session=session)

    async def insert(self, user: ObjectId, record: Document, session: Session) -> None:
        """Raises pymongo.errors.DuplicateKeyError when the person has asked already."""
        await self._records.insert_one({**record, "user": user}, session=session)

    async def by_receipt(self, receipt_hash: str) -> Document | None:
        """The erasure of a receipt: who has it may see it."""
        return await self._records.find_one({"receiptHash": receipt_hash})

    async def get(self, erasure: ObjectId, session: Session) -> Document | None:
        """For the services' reports, which name nobody."""
        return await self._records.find_one({"_id": erasure}, session=session)

    async def update(self, erasure: ObjectId, fields: Document, session: Session) -> None:
        """Of two reports that come at once one meets a write conflict here, and is taken again."""
        await self._records.update_one({"_id": erasure}, {"$set": fields}, session=session)


class DataFileRepository:
    """One document a file; each is its own job record. Every method that a person causes takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._files = db.data_files

    async def insert(self, user: ObjectId, file: Document, session: Session) -> None:
        """Stores a new record."""
        await self._files.insert_one({**file, "user": user}, session=session)

    async def newest(self, user: ObjectId, session: Session | None = None) -> Document | None:
        """The person's last one."""
        found = await self._files.find({"user": user}, session=session).sort(NEWEST_FIRST.sort).limit(1).to_list()
        return found[0] if found else None

    async def older_than(self, time: datetime, limit: int) -> list[Document]:
        """Whoever's they are: for the sweep."""
        return await self._files.find({"createdAt": {"$lt": time}}).sort("createdAt", ASCENDING).limit(limit).to_list()

    async def delete(self, user: ObjectId, file: ObjectId) -> None:
        """Removes a record."""
        await self._files.delete_one({"_id": file, "user": user})

    async def is_wanted(self, user: ObjectId, file: ObjectId) -> bool:
        """Whether the file is to be made still, or is made."""
        wanted = {"_id": file, "user": user, "status": {"$nin": ["cancelled", "failed"]}}
        return await self._files.find_one(wanted, {"_id": True}) is not None

    async def known_keys(self, keys: list[str]) -> set[str]:
        """Those of these keys that a record names: for the sweep of the bucket."""
        found = self._files.find({"key": {"$in": keys}}, {"key": True})
        return {file["key"] async for file in found}
