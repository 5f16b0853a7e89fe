"""`llm_calls`: the journal of the calls of the model. `llm_spend`: what a user's calls cost, by day (UTC). `llm_hours`:
what all calls cost, by hour. Both over several documents, so that many calls do not wait for one."""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, to_be_retried

#: Documents of one hour.
SHARDS = 64
_ALL_SHARDS = frozenset(range(SHARDS))
#: Documents of one day of one user.
USER_SHARDS = 8
AMOUNTS = ("calls", "inputTokens", "outputTokens", "costMicros")
KEEP_HOURS_SECONDS = 90 * 24 * 3600
INDEXES = {
    "llm_calls": [
        IndexModel([("user", ASCENDING), ("job", ASCENDING), ("step", ASCENDING)]),
        # The few that a killed process, or one at work, has left open.
        IndexModel([("state", ASCENDING), ("createdAt", ASCENDING)], partialFilterExpression={"state": "asked"}),
    ],
    "llm_spend": [IndexModel([("user", ASCENDING), ("day", DESCENDING)])],
    "llm_hours": [IndexModel([("hour", ASCENDING)], expireAfterSeconds=KEEP_HOURS_SECONDS)],
}


class CallJournal:
    """One entry for each call that is made: `_id` is `<job>:<step>` for the first call of a step, `<job>:<step>:<try>`
    for the next ones. `state`: asked, then done, invalid, broken, declined or failed."""

    def __init__(self, db: Database) -> None:
        self._calls = db.llm_calls

    async def of_step(self, user: ObjectId, job: ObjectId, step: str) -> list[Document]:
        """The entries of a step, in order, and those of the whole job that have not been settled."""
        wanted = {"user": user, "job": job, "$or": [{"step": step}, {"state": "asked"}]}
        found = await self._calls.find(wanted).to_list()
        return sorted(found, key=lambda entry: int(entry["try"]))

    async def begin(self, user: ObjectId, entry: Document) -> None:
        """A call is about to be made."""
        await self._calls.insert_one({**entry, "user": user, "state": "asked", "createdAt": utc_now()})

    async def again(self, user: ObjectId, call: str) -> bool:
        """A call that got no answer, and cost nothing, is about to be made again."""
        asked = {"$set": {"state": "asked", "createdAt": utc_now()}}
        failed = {"_id": call, "user": user, "state": "failed"}
        return (await self._calls.update_one(failed, asked)).matched_count > 0

    async def settle(self, user: ObjectId, call: str, fields: Document, session: Session) -> bool:
        """Whether this is the first time that the call is settled."""
        open_call = {"_id": call, "user": user, "state": "asked"}
        told = {"$set": {**fields, "settledAt": utc_now()}}
        return (await self._calls.update_one(open_call, told, session=session)).matched_count > 0

    async def mark(self, user: ObjectId, call: str, before: str, state: str) -> bool:
        """Changes the state of a call, if it is the one before."""
        changed = await self._calls.update_one({"_id": call, "user": user, "state": before}, {"$set": {"state": state}})
        return changed.matched_count > 0

    async def note(self, user: ObjectId, call: str, content: str, session: Session) -> bool:
        """What has come of a reply so far."""
        open_call = {"_id": call, "user": user, "state": "asked"}
        changed = await self._calls.update_one(open_call, {"$set": {"content": content}}, session=session)
        return changed.matched_count > 0

    async def forgotten(self, before: datetime, limit: int) -> list[Document]:
        """Calls of anybody that were begun before then and never settled."""
        old = {"state": "asked", "createdAt": {"$lt": before}}
        return await self._calls.find(old).limit(limit).to_list()


class SpendRepository:
    """What the calls of a user cost. Of each day there is one document that starts of jobs write (`<user>:<day>`), and
    a few that calls are booked in (`<user>:<day>:<number>`): so many jobs of one person can start and end at a time."""

    def __init__(self, db: Database) -> None:
        self._spend = db.llm_spend

    async def add(self, user: ObjectId, amounts: Document, session: Session) -> None:
        """Adds to today's amounts. Raises what begins the transaction again when another adds to the same document."""
        await self._write(user, f":{random.randrange(USER_SHARDS)}", amounts, session)  # noqa: S311  only spreads them

    async def claim(self, user: ObjectId, session: Session) -> None:
        """Of two transactions with this for one user the second begins again when the first has ended."""
        await self._write(user, "", {"claims": 1}, session)

    async def _write(self, user: ObjectId, suffix: str, amounts: Document, session: Session) -> None:
        day = _day(utc_now())
        key = {"_id": f"{user}:{day:%Y-%m-%d}{suffix}", "user": user}
        change: Document = {"$setOnInsert": {"day": day}, "$inc": amounts}
        try:
            await self._spend.update_one(key, change, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error

    async def today(self, user: ObjectId, session: Session | None = None) -> Document:
        """The amounts of today; empty if there is nothing yet."""
        begin = f"{user}:{utc_now():%Y-%m-%d}"
        ids = [f"{begin}:{number}" for number in range(USER_SHARDS)]
        found = await self._spend.find({"_id": {"$in": ids}, "user": user}, session=session).to_list()
        return _sum(found) if found else {}

    async def days(self, user: ObjectId, count: int) -> list[Document]:
        """The amounts of the last `count` days, with their `day`; only days on which there was a call, newest first."""
        since = _day(utc_now()) - timedelta(days=count - 1)
        by_day: dict[datetime, list[Document]] = defaultdict(list)
        async for found in self._spend.find({"user": user, "day": {"$gte": since}}):
            by_day[found["day"]].append(found)
        days = [{"day": day, **_sum(by_day[day])} for day in sorted(by_day, reverse=True)]
        return [day for day in days if day["calls"]]


def _sum(found: list[Document]) -> Document:
    return {name: sum(int(each.get(name, 0)) for each in found) for name in AMOUNTS}


class HourRepository:
    """What all calls cost."""

    def __init__(self, db: Database) -> None:
        self._hours = db.llm_hours
        self._taken: set[int] = set()

    @contextmanager
    def shard(self) -> Iterator[int]:
        """A number for `add`, for the whole of a transaction; as far as there are enough, nobody else in this process
        has it meanwhile, so that they do not conflict."""
        number = random.choice(list(_ALL_SHARDS - self._taken or _ALL_SHARDS))  # noqa: S311  only spreads them
        self._taken.add(number)
        try:
            yield number
        finally:
            self._taken.discard(number)

    async def add(self, shard: int, amounts: Document, session: Session) -> None:
        """Adds to this hour."""
        now = utc_now()
        key = {"_id": _shard(now, shard)}
        hour = now.replace(minute=0, second=0, microsecond=0)
        try:
            await self._hours.update_one(key, {"$setOnInsert": {"hour": hour}, "$inc": amounts}, True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error

    async def spent_micros(self) -> int:
        """In this hour."""
        ids = [_shard(utc_now(), number) for number in range(SHARDS)]
        found = await self._hours.find({"_id": {"$in": ids}}, {"costMicros": True}).to_list()
        return sum(int(each["costMicros"]) for each in found)


def _shard(now: datetime, number: int) -> str:
    return f"{now:%Y-%m-%dT%H}:{number}"


def _day(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
