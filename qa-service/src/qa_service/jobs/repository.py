"""Job records in Mongo, as their owner may see them."""

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {"jobs": [IndexModel([("user", ASCENDING), ("createdAt", DESCENDING)]), SWEEP_INDEX]}


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
