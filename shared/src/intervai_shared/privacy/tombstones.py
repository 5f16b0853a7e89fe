"""Who is erased, or being erased: nothing new of them may be written."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

#: The collection of a service's erasures: one document a person, whose `_id` is the person's. See `erasures`.
ERASURES = "erasures"
INDEXES = {ERASURES: [SWEEP_INDEX, IndexModel([("createdAt", ASCENDING)])]}


async def is_erased(db: Database, user: ObjectId, session: Session) -> bool:
    """Ask within the transaction that would write."""
    return await db[ERASURES].find_one({"_id": user}, {"_id": True}, session=session) is not None


def person_of(event: Document) -> ObjectId | None:
    """Whom an event, as `catalogue.wire` makes it, is about; None: nobody."""
    named = event["aggregateId"] if event.get("aggregate") == "user" else event["data"].get("user")
    return ObjectId(named) if ObjectId.is_valid(named) else None
