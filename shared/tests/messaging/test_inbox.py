"""The inbox: an event has its effect once, however often it comes."""

import asyncio
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session

EVENT = {"id": "665f1c2e9b1d8a0012345678", "type": "thing.made", "data": {"size": 3}}


class Counter:
    """A handler that counts in Mongo, and fails as often as it is told to."""

    def __init__(self, mongo: Mongo) -> None:
        self._things = mongo.db.things
        self.failures = 0

    async def __call__(self, event: Document, session: Session) -> None:
        change = {"$inc": {"count": event["data"]["size"]}}
        await self._things.update_one({"_id": "total"}, change, upsert=True, session=session)
        if self.failures:
            self.failures -= 1
            raise LookupError("not now")

    async def total(self) -> int:
        found = await self._things.find_one({"_id": "total"})
        return int(found["count"]) if found else 0


@pytest.fixture
def counter(mongo: Mongo) -> Counter:
    return Counter(mongo)


@pytest.fixture
def inbox(mongo: Mongo, redis: Redis, service: str, counter: Counter) -> Inbox:
    return Inbox(mongo.db, Outbox(mongo, redis, service), {"thing.made": counter})


async def test_an_event_that_comes_three_times_has_one_effect(inbox: Inbox, counter: Counter) -> None:
    for _ in range(3):
        await inbox.apply(EVENT)
    assert await counter.total() == 3


async def test_an_event_that_comes_five_times_at_once_has_one_effect(inbox: Inbox, counter: Counter) -> None:
    await asyncio.gather(*(inbox.apply(EVENT) for _ in range(5)))
    assert await counter.total() == 3


async def test_another_event_has_its_own_effect(inbox: Inbox, counter: Counter) -> None:
    await inbox.apply(EVENT)
    await inbox.apply({**EVENT, "id": "665f1c2e9b1d8a0012345679"})
    assert await counter.total() == 6


async def test_a_handler_that_fails_leaves_nothing_and_the_event_can_come_again(
    inbox: Inbox, counter: Counter, mongo: Mongo
) -> None:
    counter.failures = 2
    for _ in range(2):
        with pytest.raises(LookupError):
            await inbox.apply(EVENT)
    assert await counter.total() == 0
    assert await mongo.db.inbox.count_documents({}) == 0
    await inbox.apply(EVENT)
    assert await counter.total() == 3


async def test_an_event_that_nobody_handles_is_taken_without_a_trace(inbox: Inbox, mongo: Mongo) -> None:
    await inbox.apply({**EVENT, "type": "thing.lost"})
    assert await mongo.db.inbox.count_documents({}) == 0


async def test_a_duplicate_key_of_the_handler_itself_is_an_error_and_no_duplicate(
    mongo: Mongo, redis: Redis, service: str
) -> None:
    await mongo.db.things.insert_one({"_id": "taken"})

    async def insert(_: Document, session: Session) -> Any:
        await mongo.db.things.insert_one({"_id": "taken"}, session=session)

    inbox = Inbox(mongo.db, Outbox(mongo, redis, service), {"thing.made": insert})
    with pytest.raises(DuplicateKeyError):
        await inbox.apply(EVENT)
    assert await mongo.db.inbox.count_documents({}) == 0
