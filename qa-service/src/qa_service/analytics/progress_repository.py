"""What a person has practised, as the projection `progress` keeps it. Nothing else writes here.

`progress_days`: one document for each person and UTC day, `progress_topics`: for each person and topic,
`progress_sessions`: for each interview session. All are counters and maxima, so the order of events is all one; a
deleted session stays as a mark, so that what arrives after its end does not bring it back.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from intervai_shared.messaging.events.projections import View
from intervai_shared.models import Document
from intervai_shared.mongo import Session

INDEXES = {
    "progress_days": [IndexModel([("user", ASCENDING), ("day", ASCENDING)])],
    "progress_topics": [IndexModel([("user", ASCENDING), ("attempts", DESCENDING)])],
    "progress_sessions": [IndexModel([("user", ASCENDING)])],
}
#: Scores of a topic that count as the latest.
RECENT = 5
#: Topics that are shown of one person, the most practised first.
MOST_TOPICS = 100


class ProgressWriter:
    """Adds to the collections of one generation, within a transaction. Every method takes the owner first."""

    def __init__(self, view: View, session: Session) -> None:
        self._view = view
        self._session = session

    async def count_day(self, user: ObjectId, day: str, change: Document) -> None:
        """`change`: update operators, for the person's day."""
        await self._change("progress_days", f"{user}:{day}", {"user": user, "day": day}, change)

    async def count_topic(self, user: ObjectId, topic: str, score: int, at: str, event: str) -> None:
        """One more score of a topic; the latest scores are kept with their time and event, which orders equal times."""
        latest = {"$each": [{"at": at, "event": event, "score": score}], "$sort": {"at": -1, "event": -1}}
        change = {**scored(score), "$push": {"recent": {**latest, "$slice": RECENT}}}
        await self._change("progress_topics", f"{user}:{topic}", {"user": user, "topic": topic}, change)

    async def count_session(self, user: ObjectId, interview: str, change: Document) -> None:
        """`change`: update operators, for the interview session."""
        await self._change("progress_sessions", ObjectId(interview), {"user": user}, change)

    async def _change(self, name: str, key: Any, known: Document, change: Document) -> None:
        """`known` becomes a part of a new document, and is asked of one that is there: nobody adds to another's."""
        await self._view[name].update_one({"_id": key, **known}, change, upsert=True, session=self._session)


class ProgressReader:
    """Reads one generation. Every method takes the owner first."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def sessions(self, user: ObjectId) -> Document:
        """`{sessions, questions}`: how many the person has now, without what is deleted; empty when there never were
        any."""
        lives, total = {"$cond": ["$isDeleted", 0, 1]}, {"$cond": ["$isDeleted", 0, "$questionCount"]}
        group = {"_id": None, "sessions": {"$sum": lives}, "questions": {"$sum": total}}
        pipeline: list[Document] = [{"$match": {"user": user}}, {"$group": group}]
        found = await (await self._view["progress_sessions"].aggregate(pipeline)).to_list()
        return found[0] if found else {}

    async def topics(self, user: ObjectId) -> list[Document]:
        """The topics that the person has practised most."""
        newest = self._view["progress_topics"].find({"user": user}).sort([("attempts", DESCENDING)])
        return await newest.limit(MOST_TOPICS).to_list()

    async def days(self, user: ObjectId, since: date, until: date) -> list[Document]:
        """All days with practice, the first one first; those from `since` to `until` with their `topics`."""
        inside = {"$and": [{"$gte": ["$day", since.isoformat()]}, {"$lte": ["$day", until.isoformat()]}]}
        counters = dict.fromkeys(("day", "attempts", "scoreSum", "best", "reviews", "interviews"), 1)
        shown = {**counters, "topics": {"$cond": [inside, "$topics", None]}}
        pipeline: list[Document] = [{"$match": {"user": user}}, {"$sort": {"day": 1}}, {"$project": shown}]
        return await (await self._view["progress_days"].aggregate(pipeline)).to_list()

    async def session(self, user: ObjectId, interview: ObjectId) -> Document | None:
        """What is known of a session; None when it is not the user's, is deleted, or has not been heard of yet."""
        found = await self._view["progress_sessions"].find_one({"_id": interview, "user": user})
        return None if found is None or found.get("isDeleted") else found


def scored(score: int, prefix: str = "") -> Document:
    """Update operators that count one score, below `prefix`."""
    return {"$inc": {f"{prefix}attempts": 1, f"{prefix}scoreSum": score}, "$max": {f"{prefix}best": score}}


def merged(*changes: Mapping[str, Document]) -> Document:
    """Update operators of several changes, in one."""
    together: Document = {}
    for change in changes:
        for operator, fields in change.items():
            together.setdefault(operator, {}).update(fields)
    return together


def field_of(text: str) -> str:
    """Any text as the name of a field in a path: without dots, without a dollar in front, never empty or a number."""
    return "_" + quote(text, safe=" ").replace(".", "%2E")


def text_of(field: str) -> str:
    """The text that `field_of` made a name of."""
    return unquote(field[1:])
