"""`review_cards` and `review_log` in Mongo. Shard key: `user`, hashed. A card has the id of its question, and belongs
to the question's owner."""

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session, to_be_retried

INDEXES = {
    "review_cards": [
        IndexModel([("user", ASCENDING), ("isNew", ASCENDING), ("due", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("session", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("begunAt", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("stability", ASCENDING)]),
    ],
    "review_log": [
        IndexModel([("user", ASCENDING), ("at", DESCENDING)]),
        IndexModel([("user", ASCENDING), ("question", ASCENDING), ("at", DESCENDING)]),
        IndexModel([("user", ASCENDING), ("session", ASCENDING)]),
    ],
}
_WRITE_CONFLICT = 112
_DUE_ORDER = [("due", ASCENDING), ("_id", ASCENDING)]


def begin_again() -> OperationFailure:
    """What to raise in a transaction that has seen an older card, so that it is run again."""
    return to_be_retried(OperationFailure("the card has changed", _WRITE_CONFLICT))


class CardRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._cards = db.review_cards

    async def get(self, user: ObjectId, question_id: ObjectId, session: Session | None = None) -> Document | None:
        """The card of a question."""
        return await self._cards.find_one({"_id": question_id, "user": user}, session=session)

    async def add(self, user: ObjectId, cards: list[Document], session: Session) -> int:
        """Adds new cards; those that are there stay as they are. How many were new."""
        ids = [card["_id"] for card in cards]
        there = await self._cards.find({"_id": {"$in": ids}, "user": user}, {"_id": 1}, session=session).to_list()
        known = {card["_id"] for card in there}
        fresh = [{**card, "user": user} for card in cards if card["_id"] not in known]
        if fresh:
            try:
                await self._cards.insert_many(fresh, session=session)
            except DuplicateKeyError as error:
                raise to_be_retried(error) from error
        return len(fresh)

    async def change(self, user: ObjectId, card: Document, fields: Document, session: Session) -> bool:
        """Changes a card. False when it is no longer as it was seen."""
        where = {"_id": card["_id"], "user": user, "version": card["version"]}
        changed = await self._cards.update_one(where, {"$set": fields, "$inc": {"version": 1}}, session=session)
        return changed.matched_count == 1

    async def delete(self, user: ObjectId, question_id: ObjectId) -> bool:
        """False when the question is not in the user's queue."""
        deleted = await self._cards.delete_one({"_id": question_id, "user": user})
        return deleted.deleted_count == 1

    async def due(self, user: ObjectId, now: datetime, limit: int) -> list[Document]:
        """Cards that have begun and are due, the longest due first."""
        # `$lt` of the next millisecond: the embedded Mongo engine takes `$lte` in the middle of an index for `$lt`.
        where = {"user": user, "isNew": False, "due": {"$lt": now + timedelta(milliseconds=1)}}
        return await self._cards.find(where).sort(_DUE_ORDER).limit(limit).to_list()

    async def new(self, user: ObjectId, limit: int) -> list[Document]:
        """Cards that have not begun, the first added first."""
        return await self._cards.find({"user": user, "isNew": True}).sort(_DUE_ORDER).limit(limit).to_list()

    async def begun(self, user: ObjectId, since: datetime) -> int:
        """How many cards have begun since then."""
        return await self._cards.count_documents({"user": user, "begunAt": {"$gte": since}})

    async def counts(self, user: ObjectId, now: datetime, tomorrow: datetime, learned_days: float) -> Document:
        """`{cards, new, dueNow, dueToday, learned}`."""
        is_old = {"$not": ["$isNew"]}

        def count(*conditions: Any) -> Document:
            return {"$sum": {"$cond": [{"$and": list(conditions)}, 1, 0]}}

        group = {
            "_id": None,
            "cards": {"$sum": 1},
            "new": count("$isNew"),
            "dueNow": count(is_old, {"$lte": ["$due", now]}),
            "dueToday": count(is_old, {"$lt": ["$due", tomorrow]}),
            "learned": count({"$gte": [{"$ifNull": ["$stability", 0]}, learned_days]}),
        }
        pipeline: list[Document] = [{"$match": {"user": user}}, {"$group": group}]
        found = await (await self._cards.aggregate(pipeline)).to_list()
        return found[0] if found else {}

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """Removes the cards of what was deleted: `where` is `{session: id}` or `{question: [ids]}`."""
        named = {"session": where["session"]} if "session" in where else {"_id": {"$in": where["question"]}}
        await self._cards.delete_many({**named, "user": user}, session=session)


class ReviewLog:
    """What was rated, one document a review. Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._log = db.review_log

    async def add(self, user: ObjectId, entry: Document, session: Session) -> None:
        """Notes a review."""
        await self._log.insert_one({**entry, "user": user}, session=session)

    async def of_question(self, user: ObjectId, question_id: ObjectId, limit: int) -> list[Document]:
        """The newest reviews of a question."""
        where = {"user": user, "question": question_id}
        return await self._log.find(where).sort([("at", DESCENDING)]).limit(limit).to_list()

    async def counts(self, user: ObjectId, since: datetime, today: datetime) -> Document:
        """`{all, today, mature, kept}` of the reviews since then; `mature`: past the learning steps; `kept`: those of
        them that were remembered."""
        is_mature = {"$eq": ["$before.state", "review"]}
        group = {
            "_id": None,
            "all": {"$sum": 1},
            "today": {"$sum": {"$cond": [{"$gte": ["$at", today]}, 1, 0]}},
            "mature": {"$sum": {"$cond": [is_mature, 1, 0]}},
            "kept": {"$sum": {"$cond": [{"$and": [is_mature, {"$gt": ["$rating", 1]}]}, 1, 0]}},
        }
        pipeline: list[Document] = [{"$match": {"user": user, "at": {"$gte": since}}}, {"$group": group}]
        found = await (await self._log.aggregate(pipeline)).to_list()
        return found[0] if found else {}

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """Removes the reviews of what was deleted: `where` is `{session: id}` or `{question: [ids]}`."""
        named = {"session": where["session"]} if "session" in where else {"question": {"$in": where["question"]}}
        await self._log.delete_many({"user": user, **named}, session=session)
