"""Collections in Mongo, and which question lies in which: `collection_items`. Shard key of both: `user`, hashed.

What lies in a collection is removed with its question by `QuestionRepository`, with its collection here."""

from collections.abc import Sequence

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.http.paging import NEWEST_FIRST, ListOrder, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

INDEXES = {
    "collections": [IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort])],
    "collection_items": [
        # A unique index of a sharded collection begins with its shard key.
        IndexModel([("user", ASCENDING), ("collection", ASCENDING), ("question", ASCENDING)], unique=True),
        IndexModel([("collection", ASCENDING), ("_id", DESCENDING)]),
        IndexModel([("user", ASCENDING), ("question", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("session", ASCENDING)]),
    ],
}
LAST_COLLECTED = ListOrder({"_id": ObjectId})


class CollectionRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._collections = db.collections
        self._items = db.collection_items

    async def insert(self, user: ObjectId, collection: Document, session: Session) -> None:
        """Stores a new one."""
        await self._collections.insert_one({**collection, "user": user}, session=session)

    async def count(self, user: ObjectId, session: Session) -> int:
        """How many the user has."""
        return await self._collections.count_documents({"user": user}, session=session)

    async def get(self, user: ObjectId, collection_id: ObjectId) -> Document | None:
        """One collection of the user."""
        return await self._collections.find_one({"_id": collection_id, "user": user})

    async def page(self, user: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest collections after a position."""
        return await NEWEST_FIRST.find(self._collections, {"user": user}, limit, after)

    async def update(
        self, user: ObjectId, collection_id: ObjectId, fields: Document, session: Session | None = None
    ) -> bool:
        """False when the user has no such collection. In transactions: of two that write into one collection at the
        same time the second begins anew."""
        change = {"$set": {**fields, "updatedAt": utc_now()}}
        where = {"_id": collection_id, "user": user}
        return (await self._collections.update_one(where, change, session=session)).matched_count == 1

    async def delete(self, user: ObjectId, collection_id: ObjectId, session: Session) -> bool:
        """False when the user has no such collection."""
        await self._items.delete_many({"collection": collection_id, "user": user}, session=session)
        deleted = await self._collections.delete_one({"_id": collection_id, "user": user}, session=session)
        return deleted.deleted_count == 1

    async def items(
        self, user: ObjectId, collection_id: ObjectId, limit: int, after: Position | None
    ) -> list[Document]:
        """`{_id, question, createdAt}` of what lies in a collection after a position, the last collected first."""
        where = {"collection": collection_id, "user": user}
        return await LAST_COLLECTED.find(self._items, where, limit, after)

    async def questions_in(self, user: ObjectId, collection_id: ObjectId, session: Session) -> set[ObjectId]:
        """The ids of the questions in a collection."""
        where = {"collection": collection_id, "user": user}
        found = await self._items.find(where, {"question": 1}, session=session).to_list()
        return {item["question"] for item in found}

    async def sizes(self, user: ObjectId, collection_ids: Sequence[ObjectId]) -> dict[ObjectId, int]:
        """How many questions lie in each of these; empty ones are left out."""
        where: Document = {"$match": {"collection": {"$in": list(collection_ids)}, "user": user}}
        counts = await self._items.aggregate([where, {"$group": {"_id": "$collection", "count": {"$sum": 1}}}])
        return {each["_id"]: each["count"] for each in await counts.to_list()}

    async def add(
        self, user: ObjectId, collection_id: ObjectId, questions: Sequence[Document], session: Session
    ) -> None:
        """Puts questions, which are not in it, into a collection."""
        of_it = {"user": user, "collection": collection_id, "createdAt": utc_now()}
        items = [{**of_it, "question": question["_id"], "session": question["session"]} for question in questions]
        await self._items.insert_many(items, session=session)

    async def remove(self, user: ObjectId, collection_id: ObjectId, question_id: ObjectId) -> bool:
        """False when the question is not in it."""
        where = {"collection": collection_id, "question": question_id, "user": user}
        return (await self._items.delete_one(where)).deleted_count == 1
