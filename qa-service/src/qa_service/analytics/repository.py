"""`topic_uses`: one document for each topic, user and day. What is in it comes from the projection alone."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Collection, Session

INDEXES = {"topic_uses": [IndexModel([("day", ASCENDING)]), IndexModel([("user", ASCENDING), ("_id", ASCENDING)])]}


class TopicUses:
    """The collection of one generation of the projection."""

    def __init__(self, uses: Collection) -> None:
        self._uses = uses

    async def record(self, user: ObjectId, topic: str, day: datetime, session: Session) -> None:
        """Notes that a user prepared for a topic on a day; a second time changes nothing."""
        use = {"topic": topic, "user": user, "day": day}
        key = f"{topic}:{user}:{day:%Y-%m-%d}"
        await self._uses.update_one({"_id": key}, {"$setOnInsert": use}, upsert=True, session=session)

    async def by_topic(self, since: datetime) -> list[Document]:
        """`{topic, users: [ObjectId], days: [datetime]}` for each topic used since then."""
        group = {"_id": "$topic", "users": {"$addToSet": "$user"}, "days": {"$push": "$day"}}
        pipeline: list[Document] = [{"$match": {"day": {"$gte": since}}}, {"$group": group}]
        found = await (await self._uses.aggregate(pipeline)).to_list()
        return [{"topic": entry["_id"], "users": entry["users"], "days": entry["days"]} for entry in found]
