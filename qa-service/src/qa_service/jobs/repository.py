"""Job records in Mongo, as their owner may see them."""

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {
    "jobs": [
        IndexModel([("user", ASCENDING), ("createdAt", DESCENDING)]),
        IndexModel([("user", ASCENDING), ("status", ASCENDING)]),
        # Of generations that have made questions which no event tells of yet.
        IndexModel(
            [("untold", ASCENDING), ("status", ASCENDING)], partialFilterExpression={"untold": True}, name="untold"
        ),
        SWEEP_INDEX,
    ]
}
_OPEN = {"$in": ["queued", "running"]}
_UNTOLD = {"untold": True, "status": {"$in": ["failed", "cancelled"]}}


class JobRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._jobs = db.jobs

    async def insert(self, user: ObjectId, job: Document, session: Session) -> None:
        """Stores a new record."""
        await self._jobs.insert_one({**job, "user": user}, session=session)

    async def get(self, user: ObjectId, job_id: ObjectId) -> Document | None:
        """One job of the user."""
        return await self._jobs.find_one({"_id": job_id, "user": user})

    async def untold(self, limit: int = 100) -> list[Document]:
        """Anybody's jobs that have ended without their end, and have made what no event tells of."""
        return await self._jobs.find(_UNTOLD).limit(limit).to_list()

    async def mark_told(self, user: ObjectId, job: Document, session: Session) -> bool:
        """False when it has been told meanwhile, or goes on."""
        where = {"_id": job["_id"], "user": user, **_UNTOLD}
        told = {"$set": {"untold": False, "told": len(job["made"])}}
        return (await self._jobs.update_one(where, told, session=session)).matched_count == 1

    async def reserved_micros(self, user: ObjectId, session: Session | None = None) -> int:
        """What the user's jobs that wait or run may cost, in millionths of a dollar."""
        return await self._reserved({"user": user, "status": _OPEN}, session)

    async def reserved_micros_of_all(self) -> int:
        """What all jobs that wait or run may cost."""
        return await self._reserved({"status": _OPEN}, None)

    async def _reserved(self, where: Document, session: Session | None) -> int:
        pipeline: list[Document] = [{"$match": where}, {"$group": {"_id": None, "sum": {"$sum": "$estimateMicros"}}}]
        found = await (await self._jobs.aggregate(pipeline, session=session)).to_list()
        return int(found[0]["sum"]) if found else 0
