"""Résumés in Mongo: whatever may lie in S3 has a record here, from before its upload is allowed."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from intervai_shared.resources import Indexes

#: Records of the sweep that are looked at in one go.
BATCH = 100
INDEXES: Indexes = {
    "resumes": [
        IndexModel([("user", ASCENDING), ("state", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("sweepAt", ASCENDING)]),
    ]
}


class ResumeRepository:
    """`state` is uploading, reading, ready or discarded; `sweepAt` is there as long as there may be a file, and says
    when to look for it. Every method that a person causes takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._resumes = db.resumes

    async def insert(self, user: ObjectId, resume: Document, session: Session) -> None:
        """Stores the record of a file that is to come."""
        await self._resumes.insert_one({**resume, "user": user}, session=session)

    async def get(self, user: ObjectId, resume_id: ObjectId) -> Document | None:
        """One record of the user, in whatever state."""
        return await self._resumes.find_one({"_id": resume_id, "user": user})

    async def count(self, user: ObjectId) -> int:
        """How many the user has that have been read."""
        return await self._resumes.count_documents({"user": user, "state": "ready"})

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest of those that have been read, after a position."""
        where = {"user": user, "state": "ready"}
        return await NEWEST_FIRST.find(self._resumes, where, limit, after, {"text": False})

    async def move(
        self, user: ObjectId, resume_id: ObjectId, states: tuple[str, str], fields: Document, session: Session
    ) -> bool:
        """From one state to another, with these fields. False when it is in another state by now."""
        before, after = states
        change = {"$set": {**fields, "state": after, "updatedAt": utc_now()}}
        where = {"_id": resume_id, "user": user, "state": before}
        moved = await self._resumes.update_one(where, change, session=session)
        return moved.matched_count == 1

    async def discard(self, user: ObjectId, resume_id: ObjectId, sweep_at: datetime) -> bool:
        """Forgets what it says; only what the sweep needs stays, until then. False when the user has no such résumé
        that has been read, or is to be."""
        change = {
            "$set": {"state": "discarded", "sweepAt": sweep_at},
            "$unset": {"text": "", "fileName": "", "characters": ""},
        }
        where = {"_id": resume_id, "user": user, "state": {"$in": ["uploading", "reading", "ready"]}}
        discarded = await self._resumes.update_one(where, change)
        return discarded.matched_count == 1

    async def due(self, now: datetime) -> list[Document]:
        """Some of those, whoever's they are, whose file is to be removed: for the sweep."""
        return await self._resumes.find({"sweepAt": {"$lt": now}}, {"text": 0}).limit(BATCH).to_list()

    async def swept(self, resume: Document) -> None:
        """Its file is gone, if it is as it was: what has been read stays, anything else goes too."""
        seen = {key: resume[key] for key in ("_id", "user", "state", "sweepAt")}
        if resume["state"] == "ready":
            await self._resumes.update_one(seen, {"$unset": {"sweepAt": ""}})
        else:
            await self._resumes.delete_one(seen)
