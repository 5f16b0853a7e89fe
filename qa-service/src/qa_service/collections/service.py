"""The rules of collections."""

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo
from intervai_shared.mongo import Session as MongoSession
from qa_service.collections.repository import LAST_COLLECTED, CollectionRepository
from qa_service.collections.schemas import CollectionChange, NewCollection
from qa_service.questions.repository import QuestionRepository

MOST_COLLECTIONS = 100
MOST_QUESTIONS = 1_000
NOT_FOUND = "There is no such collection."


class CollectionService:
    """Collections of one owner at a time."""

    def __init__(self, mongo: Mongo, collections: CollectionRepository, questions: QuestionRepository) -> None:
        self._mongo = mongo
        self._collections = collections
        self._questions = questions

    async def make(self, user: ObjectId, wanted: NewCollection) -> Document:
        """A new, empty collection. Raises ConflictError when the user has too many."""
        now = utc_now()
        collection = {"_id": ObjectId(), **wanted.model_dump(by_alias=True), "createdAt": now, "updatedAt": now}

        async def store(transaction: MongoSession) -> Document:
            if await self._collections.count(user, transaction) >= MOST_COLLECTIONS:
                raise ConflictError(f"There can be {MOST_COLLECTIONS} collections. Delete one first.")
            await self._collections.insert(user, collection, transaction)
            return {**collection, "questionCount": 0}

        return await self._mongo.transaction(store)

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the user's collections, the newest first."""
        found = await self._collections.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        page = NEWEST_FIRST.page(found, limit)
        sizes = await self._collections.sizes(user, [collection["_id"] for collection in page["items"]])
        items = [{**collection, "questionCount": sizes.get(collection["_id"], 0)} for collection in page["items"]]
        return {**page, "items": items}

    async def get(self, user: ObjectId, collection_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such collection."""
        found = await self._collections.get(user, collection_id)
        if found is None:
            raise NotFoundError(NOT_FOUND)
        sizes = await self._collections.sizes(user, [collection_id])
        return {**found, "questionCount": sizes.get(collection_id, 0)}

    async def change(self, user: ObjectId, collection_id: ObjectId, change: CollectionChange) -> Document:
        """The collection after the change. Raises NotFoundError."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields and not await self._collections.update(user, collection_id, fields):
            raise NotFoundError(NOT_FOUND)
        return await self.get(user, collection_id)

    async def delete(self, user: ObjectId, collection_id: ObjectId) -> None:
        """Removes a collection; its questions stay in their sessions. Raises NotFoundError."""

        async def remove(transaction: MongoSession) -> None:
            if not await self._collections.delete(user, collection_id, transaction):
                raise NotFoundError(NOT_FOUND)

        await self._mongo.transaction(remove)

    async def questions(self, user: ObjectId, collection_id: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of its questions, the last collected first. Raises NotFoundError."""
        found = await self._collections.items(user, collection_id, limit + 1, LAST_COLLECTED.position(cursor))
        if not found and await self._collections.get(user, collection_id) is None:
            raise NotFoundError(NOT_FOUND)
        page = LAST_COLLECTED.page(found, limit)
        questions = await self._questions.get_many(user, [item["question"] for item in page["items"]])
        items = [
            {**questions[item["question"]], "collectedAt": item["createdAt"]}
            for item in page["items"]
            if item["question"] in questions
        ]
        return {**page, "items": items}

    async def collect(self, user: ObjectId, collection_id: ObjectId, wanted: list[ObjectId]) -> list[ObjectId]:
        """Puts questions into a collection; those that lie in it then. What the user does not have is passed over.

        Raises:
            NotFoundError: the user has no such collection.
            ConflictError: it would hold too many.
        """

        async def store(transaction: MongoSession) -> list[ObjectId]:
            if not await self._collections.update(user, collection_id, {}, transaction):
                raise NotFoundError(NOT_FOUND)
            known = await self._questions.get_many(user, wanted, transaction)
            there = await self._collections.questions_in(user, collection_id, transaction)
            new = [known[each] for each in dict.fromkeys(wanted) if each in known and each not in there]
            if len(there) + len(new) > MOST_QUESTIONS:
                raise ConflictError(f"A collection can hold {MOST_QUESTIONS} questions.")
            if new:
                await self._collections.add(user, collection_id, new, transaction)
            return list(known)

        return await self._mongo.transaction(store)

    async def take_out(self, user: ObjectId, collection_id: ObjectId, question_id: ObjectId) -> None:
        """Raises NotFoundError when the question does not lie in the collection."""
        if not await self._collections.remove(user, collection_id, question_id):
            raise NotFoundError("The question is not in this collection.")
