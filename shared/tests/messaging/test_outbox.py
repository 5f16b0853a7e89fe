"""The outbox: a message exists if and only if the change that causes it was committed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError
from redis.asyncio import Redis

from intervai_shared import context
from intervai_shared import redis as redis_module
from intervai_shared.messaging import outbox as module
from intervai_shared.messaging.events.catalogue import Event
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.wakes import outbox_channel
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings


class ThingMade(Event):
    """A thing was made."""

    TYPE = "thing.made"
    AGGREGATE = "thing"

    size: int


@pytest.fixture
def outbox(mongo: Mongo, redis: Redis, service: str) -> Outbox:
    return Outbox(mongo, redis, service)


async def pending(mongo: Mongo) -> list[Document]:
    return await mongo.db.outbox.find({"state": "pending"}).sort("_id", 1).to_list()


async def test_a_job_and_an_event_are_pending_once_their_transaction_is_committed(
    outbox: Outbox, mongo: Mongo, service: str
) -> None:
    thing = ObjectId()
    context.request_id.set("request-123")

    async def body(session: Session) -> str:
        await outbox.add_job(session, "do_it", "jobs", "a", 1)
        await outbox.add_event(session, thing, ThingMade(size=3))
        assert await pending(mongo) == []
        return "made"

    assert await outbox.transaction(body) == "made"
    job, event = await pending(mongo)
    assert (job["kind"], job["name"], job["queue"], job["args"]) == ("job", "do_it", "jobs", ["a", 1])
    assert job["trace"]["requestId"] == "request-123"
    (sent,) = event["args"]
    assert (event["kind"], event["name"]) == ("event", "thing.made")
    about = {"aggregate": "thing", "aggregateId": str(thing), "sequence": 1}
    assert sent.items() >= {"type": "thing.made", "version": 1, "source": service, "data": {"size": 3}, **about}.items()
    logged = await mongo.db.events.find_one({"aggregateId": thing})
    assert logged
    assert str(logged["_id"]) == sent["id"]
    assert datetime.fromisoformat(sent["occurredAt"]).tzinfo == UTC


async def test_a_transaction_that_is_given_up_leaves_no_message_and_no_event(outbox: Outbox, mongo: Mongo) -> None:
    async def body(session: Session) -> None:
        await outbox.add_job(session, "do_it", "jobs")
        await outbox.add_event(session, ObjectId(), ThingMade(size=3))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        await outbox.transaction(body)
    assert await pending(mongo) == []
    assert await mongo.db.events.count_documents({}) == 0


@pytest.mark.parametrize("value", [ObjectId(), datetime.now(UTC), b"bytes"], ids=lambda value: type(value).__name__)
async def test_what_the_queue_could_not_carry_is_refused_with_its_transaction(
    outbox: Outbox, mongo: Mongo, value: Any
) -> None:
    async def job(session: Session) -> None:
        await mongo.db.things.insert_one({}, session=session)
        await outbox.add_job(session, "do_it", "jobs", value)

    with pytest.raises(TypeError):
        await outbox.transaction(job)
    assert await mongo.db.things.count_documents({}) == 0


async def test_the_relay_is_woken_after_the_commit(outbox: Outbox, mongo: Mongo, redis: Redis, service: str) -> None:
    async def body(session: Session) -> None:
        await outbox.add_job(session, "do_it", "jobs")

    async with redis.pubsub() as wake_ups:
        await wake_ups.subscribe(outbox_channel(service))
        assert (await wake_ups.get_message(timeout=5))["type"] == "subscribe"
        await outbox.transaction(body)
        assert (await wake_ups.get_message(timeout=5))["type"] == "message"
    assert len(await pending(mongo)) == 1


async def test_without_redis_the_change_is_committed_all_the_same(
    mongo: Mongo, without_redis: ServiceSettings, service: str
) -> None:
    client = redis_module.connect(without_redis)
    outbox = Outbox(mongo, client, service)

    async def body(session: Session) -> str:
        await outbox.add_job(session, "do_it", "jobs")
        return "made"

    assert await outbox.transaction(body) == "made"
    await client.aclose()
    assert len(await pending(mongo)) == 1


@pytest.fixture
def write(outbox: Outbox) -> Callable[..., Awaitable[None]]:
    """Writes an event of a thing, in a transaction that takes `seconds`."""

    async def call(thing: ObjectId, size: int = 0, seconds: float = 0) -> None:
        async def body(session: Session) -> None:
            await outbox.add_event(session, thing, ThingMade(size=size))
            await asyncio.sleep(seconds)

        await outbox.transaction(body)

    return call


async def test_the_events_of_one_thing_are_numbered_without_gaps_though_many_write_at_once(
    write: Callable[..., Awaitable[None]], mongo: Mongo
) -> None:
    things = [ObjectId(), ObjectId()]
    await asyncio.gather(*(write(thing, size) for size in range(10) for thing in things))
    for thing in things:
        numbers = [event["sequence"] async for event in mongo.db.events.find({"aggregateId": thing}).sort("_id", 1)]
        assert numbers == list(range(1, 11))


async def test_the_ids_of_one_thing_s_events_grow_though_the_next_process_s_ids_are_smaller(
    write: Callable[..., Awaitable[None]], mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherProcess(ObjectId):
        """Ids of a process that drew the smallest random number, while ours drew the greatest."""

        def __init__(self, oid: Any = None) -> None:
            super().__init__(oid or ObjectId().binary[:4] + b"\0" * 5 + ObjectId().binary[9:])

    thing = ObjectId()
    for size in range(6):
        monkeypatch.setattr(module, "ObjectId", (ObjectId, OtherProcess)[size % 2])
        await write(thing, size)
    for collection, field in ((mongo.db.events, "data"), (mongo.db.outbox, "args")):
        written = [document[field] async for document in collection.find().sort("_id", 1)]
        sizes = [found["size"] if field == "data" else found[0]["data"]["size"] for found in written]
        assert sizes == list(range(6))


async def test_a_transaction_that_commits_late_puts_no_event_before_one_that_was_seen(
    write: Callable[..., Awaitable[None]], mongo: Mongo
) -> None:
    thing = ObjectId()
    slow = asyncio.create_task(write(thing, 1, seconds=0.5))
    await asyncio.sleep(0.1)
    await write(thing, 2)
    await slow
    written = await mongo.db.outbox.find().sort("_id", 1).to_list()
    assert [message["args"][0]["sequence"] for message in written] == [1, 2]
    assert len({message["args"][0]["data"]["size"] for message in written}) == 2


async def test_events_from_before_there_were_numbers_are_followed_by_numbered_ones(
    write: Callable[..., Awaitable[None]], mongo: Mongo
) -> None:
    thing = ObjectId()
    await mongo.db.events.insert_many([{"aggregateId": thing}, {"aggregateId": thing}])
    await write(thing)
    await write(thing)
    events = await mongo.db.events.find({"aggregateId": thing}).sort("_id", 1).to_list()
    assert [event.get("sequence") for event in events] == [None, None, 1, 2]


async def test_a_number_that_another_took_meanwhile_begins_the_transaction_again(
    outbox: Outbox, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing, tries = ObjectId(), []

    async def body(session: Session) -> None:
        tries.append(1)
        if len(tries) == 1:  # what MongoDB answers when the other has committed
            monkeypatch.setattr(mongo.db.events.__class__, "insert_one", _taken)
        await outbox.add_event(session, thing, ThingMade(size=len(tries)))

    async def _taken(*_: Any, **__: Any) -> None:
        monkeypatch.undo()
        raise DuplicateKeyError("E11000", 11000)

    await outbox.transaction(body)
    [event] = await mongo.db.events.find({"aggregateId": thing}).to_list()
    assert (len(tries), event["data"]["size"]) == (2, 2)


async def test_the_events_of_several_aggregates_are_numbered_and_sent_like_single_ones(
    outbox: Outbox, mongo: Mongo
) -> None:
    old, new = ObjectId(), ObjectId()

    async def first(session: Session) -> None:
        await outbox.add_event(session, old, ThingMade(size=1))

    async def several(session: Session) -> None:
        await outbox.add_events(session, [(old, ThingMade(size=2)), (new, ThingMade(size=3))])
        await outbox.add_events(session, [])

    await outbox.transaction(first)
    await outbox.transaction(several)
    logged = await mongo.db.events.find().sort([("aggregateId", 1), ("sequence", 1)]).to_list()
    found = [(event["aggregateId"], event["sequence"], event["data"]["size"]) for event in logged]
    assert found == [(old, 1, 1), (old, 2, 2), (new, 1, 3)]
    assert logged[0]["_id"] < logged[1]["_id"]
    sent = {message["eventId"]: message["args"][0]["sequence"] for message in await pending(mongo)}
    assert sent == {event["_id"]: event["sequence"] for event in logged}


async def test_several_events_at_a_time_leave_no_gap_and_no_number_twice(outbox: Outbox, mongo: Mongo) -> None:
    things = [ObjectId(), ObjectId()]

    async def several(session: Session) -> None:
        await outbox.add_events(session, [(thing, ThingMade(size=1)) for thing in things])

    await asyncio.gather(*[outbox.transaction(several) for _ in range(5)])
    for thing in things:
        logged = await mongo.db.events.find({"aggregateId": thing}).sort("_id", 1).to_list()
        assert [event["sequence"] for event in logged] == [1, 2, 3, 4, 5]


async def test_two_events_of_one_aggregate_in_one_go_are_refused(outbox: Outbox, mongo: Mongo) -> None:
    thing = ObjectId()

    async def twice(session: Session) -> None:
        await outbox.add_events(session, [(thing, ThingMade(size=1)), (thing, ThingMade(size=2))])

    with pytest.raises(ValueError, match="one event of each"):
        await outbox.transaction(twice)
    assert await mongo.db.events.count_documents({}) == 0
