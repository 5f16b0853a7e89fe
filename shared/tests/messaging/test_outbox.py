"""The outbox: a message exists if and only if the change that causes it was committed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared import context
from intervai_shared import redis as redis_module
from intervai_shared.messaging.outbox import Outbox, wake_channel
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings


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
        await outbox.add_event(session, "thing.made", thing, {"size": 3})
        assert await pending(mongo) == []
        return "made"

    assert await outbox.transaction(body) == "made"
    job, event = await pending(mongo)
    assert (job["kind"], job["name"], job["queue"], job["args"]) == ("job", "do_it", "jobs", ["a", 1])
    assert job["trace"]["requestId"] == "request-123"
    (sent,) = event["args"]
    assert (event["kind"], event["name"]) == ("event", "thing.made")
    assert (sent["type"], sent["source"], sent["aggregateId"], sent["data"]) == (
        "thing.made",
        service,
        str(thing),
        {"size": 3},
    )
    logged = await mongo.db.events.find_one({"aggregateId": thing})
    assert logged
    assert str(logged["_id"]) == sent["id"]
    assert datetime.fromisoformat(sent["occurredAt"]).tzinfo == UTC


async def test_a_transaction_that_is_given_up_leaves_no_message_and_no_event(outbox: Outbox, mongo: Mongo) -> None:
    async def body(session: Session) -> None:
        await outbox.add_job(session, "do_it", "jobs")
        await outbox.add_event(session, "thing.made", ObjectId(), {})
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

    async def event(session: Session) -> None:
        await mongo.db.things.insert_one({}, session=session)
        await outbox.add_event(session, "thing.made", ObjectId(), {"value": str(value), "deep": [value]})

    for body in (job, event):
        with pytest.raises(TypeError):
            await outbox.transaction(body)
    assert await mongo.db.things.count_documents({}) == await mongo.db.events.count_documents({}) == 0


async def test_the_relay_is_woken_after_the_commit(outbox: Outbox, mongo: Mongo, redis: Redis, service: str) -> None:
    async def body(session: Session) -> None:
        await outbox.add_job(session, "do_it", "jobs")

    async with redis.pubsub() as wake_ups:
        await wake_ups.subscribe(wake_channel(service))
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
