"""Kafka as a second sink: every event at least once, in order for each aggregate, whatever happens to the broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from bson import ObjectId
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from intervai_shared import context, tasks
from intervai_shared import redis as redis_module
from intervai_shared.messaging import kafka as module
from intervai_shared.messaging.kafka import KafkaSink
from intervai_shared.messaging.relay import Relay
from intervai_shared.mongo import Mongo
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Call = Callable[..., Awaitable[Any]]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(module, "BATCH", 10)
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 0.2)
    monkeypatch.setattr(module, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(tasks, "RESTART_SECONDS", 0.05)


@pytest.fixture
def sink(kafka_settings: ServiceSettings, mongo: Mongo, things: Any) -> Callable[..., Any]:
    """A sink as a worker process runs it."""

    @asynccontextmanager
    async def run() -> AsyncIterator[KafkaSink]:
        async with AsyncExitStack() as stack:
            client = redis_module.connect(kafka_settings)
            stack.push_async_callback(client.aclose)
            kafka = KafkaSink(kafka_settings, mongo.db, client, things.catalogue)
            await stack.enter_async_context(keep_running("kafka", kafka.run))
            yield kafka

    return run


@pytest.fixture
def all_sent(mongo: Mongo) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await mongo.db.events.count_documents({"kafkaAt": None}) == 0

    return look


def sizes(messages: Any) -> list[int]:
    return [json.loads(message.value)["size"] for message in messages]


async def test_an_event_arrives_as_a_cloud_event_keyed_by_its_aggregate(
    broker: Any, sink: Any, write: Call, consume: Call, mongo: Mongo, service: str
) -> None:
    broker.start()
    context.traceparent.set(TRACE)
    [thing] = await write(7)
    async with sink():
        [message] = await consume(1)
    [event] = await mongo.db.events.find().to_list()
    assert (message.topic, message.key, json.loads(message.value)) == ("test.thing", str(thing).encode(), {"size": 7})
    assert message.timestamp == int(event["occurredAt"].timestamp() * 1000)
    assert {name: value.decode() for name, value in message.headers} == {
        "ce_specversion": "1.0",
        "ce_id": str(event["_id"]),
        "ce_type": "thing.made",
        "ce_source": service,
        "ce_subject": str(thing),
        "ce_time": event["occurredAt"].isoformat(),
        "ce_dataversion": "1",
        "ce_sequence": "1",
        "content-type": "application/json",
        "traceparent": TRACE,
    }


async def test_the_events_of_an_aggregate_come_in_order_and_each_once_when_nothing_goes_wrong(
    broker: Any, sink: Any, write: Call, consume: Call, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    things = [ObjectId() for _ in range(3)]
    async with sink():
        await asyncio.gather(*(write(*range(12), thing=thing) for thing in things))  # more than three batches
        await eventually(all_sent)
    found = await consume(36)
    for thing in things:
        assert sizes(message for message in found if message.key == str(thing).encode()) == list(range(12))


async def test_what_was_written_before_kafka_was_switched_on_arrives_at_the_latest_version(
    broker: Any, sink: Any, stored_event: Call, consume: Call
) -> None:
    broker.start()
    await stored_event("thing.broken", 1, {"how": "badly"})
    async with sink():
        [message] = await consume(1)
    assert json.loads(message.value) == {"parts": 10}
    assert dict(message.headers)["ce_dataversion"] == b"3"


async def test_a_broker_that_is_away_holds_up_no_queue_and_gets_everything_later(
    broker: Any, sink: Any, settings: ServiceSettings, mongo: Mongo, redis: Redis, write: Call, consume: Call,
    eventually: Call, all_sent: Any,
) -> None:  # fmt: skip
    async def nothing_pending() -> bool:
        return await mongo.db.outbox.count_documents({"state": "pending"}) == 0

    async def lag_is_known() -> bool:
        return REGISTRY.get_sample_value("intervai_kafka_lag_events") == 15

    async with sink(), keep_running("relay", Relay(settings, mongo.db, redis, {}).run):
        await write(*range(15))
        await eventually(nothing_pending)
        assert not await mongo.db.events.count_documents({"kafkaAt": {"$ne": None}})
        await eventually(lag_is_known)
        assert (REGISTRY.get_sample_value("intervai_kafka_lag_seconds") or 0) > 0
        broker.start()
        await eventually(all_sent)
    assert sorted(sizes(await consume(15))) == list(range(15))


@pytest.fixture
async def line(broker: Any, wire_to: Call) -> Any:
    """The line between the sink and its broker."""
    wire = await wire_to("127.0.0.1", broker.port)
    broker.advertised = f"127.0.0.1:{wire.port}"
    return wire


async def test_a_broker_that_dies_in_the_middle_gets_after_its_return_what_it_had_not_acknowledged(
    broker: Any, line: Any, sink: Any, write: Call, consume: Call, mongo: Mongo, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    thing = ObjectId()

    async def sent() -> int:
        return await mongo.db.events.count_documents({"kafkaAt": {"$ne": None}})

    async def some_sent() -> bool:
        return await sent() >= 15

    async with sink():
        writing = asyncio.create_task(write(*range(60), thing=thing))
        await eventually(some_sent)
        broker.kill()
        await line.cut()
        await writing
        sent_before = await sent()
        broker.advertised = broker.address  # so that it can be reached before the line is mended
        broker.start()
        await broker.create_topic("test.thing")  # it has forgotten what it had
        await line.mend()
        await eventually(all_sent)
    assert sent_before < 60
    assert sizes(await consume(60 - sent_before)) == list(range(sent_before, 60))


async def test_a_line_that_is_cut_again_and_again_loses_nothing_and_turns_nothing_round(
    broker: Any, line: Any, sink: Any, write: Call, consume: Call, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    things = [ObjectId(), ObjectId()]
    async with sink():
        writing = asyncio.gather(*(write(*range(40), thing=thing) for thing in things))
        for _ in range(5):
            await asyncio.sleep(0.1)
            await line.cut()
            await asyncio.sleep(0.05)
            await line.mend()
        await writing
        await eventually(all_sent)
    found = await consume(80, is_distinct=True)
    for thing in things:
        first_seen = dict.fromkeys(sizes(message for message in found if message.key == str(thing).encode()))
        assert list(first_seen) == list(range(40))


async def test_a_consumer_group_gets_what_was_sent_while_it_was_away(
    broker: Any, sink: Any, write: Call, consume: Call, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    async with sink():
        await write(*range(10))
        first = await consume(10, group="readers")
        await write(*range(10, 20))
        await eventually(all_sent)
        second = await consume(10, group="readers")
    assert (sorted(sizes(first)), sorted(sizes(second))) == (list(range(10)), list(range(10, 20)))


async def test_what_was_sent_but_not_marked_before_a_crash_is_sent_again_under_the_same_id(
    broker: Any, sink: Any, write: Call, consume: Call, mongo: Mongo, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    async with sink():
        await write(1, 2)
        await eventually(all_sent)
    await mongo.db.events.update_many({}, {"$unset": {"kafkaAt": ""}})
    async with sink():
        found = await consume(4)
    assert len({dict(message.headers)["ce_id"] for message in found}) == 2


async def test_of_two_sinks_one_works_and_the_other_takes_over(
    broker: Any, sink: Any, write: Call, consume: Call, eventually: Call, all_sent: Any
) -> None:
    broker.start()
    async with AsyncExitStack() as other:
        async with sink():
            await write(*range(5))
            await eventually(all_sent)
            await other.enter_async_context(sink())
            await write(*range(5, 10))
            await eventually(all_sent)
        await write(*range(10, 15))
        await eventually(all_sent)
    assert sorted(sizes(await consume(15))) == list(range(15))  # none came twice


async def test_an_event_that_kafka_does_not_take_stays_unsent_and_those_beside_it_go(
    broker: Any, sink: Any, stored_event: Call, write: Call, eventually: Call, consume: Call, mongo: Mongo
) -> None:
    broker.start()
    large = await stored_event("thing.sold", 1, {"text": "x" * 2_000_000}, aggregate="thing")

    async def only_it_waits() -> bool:
        return [event["_id"] async for event in mongo.db.events.find({"kafkaAt": None})] == [large["_id"]]

    async with sink():
        await write(*range(12))
        await eventually(only_it_waits)
    assert sorted(sizes(await consume(12))) == list(range(12))


async def test_an_event_that_is_newer_than_the_catalogue_waits_for_a_worker_that_knows_it(
    broker: Any, sink: Any, stored_event: Call, write: Call, eventually: Call, consume: Call, mongo: Mongo
) -> None:
    broker.start()
    before = REGISTRY.get_sample_value("intervai_kafka_failures_total") or 0

    async def has_failed() -> bool:
        return (REGISTRY.get_sample_value("intervai_kafka_failures_total") or 0) > before

    newer = await stored_event("thing.made", 2, {"size": 1, "colour": "red"})
    async with sink():
        await eventually(has_failed)
    found = await mongo.db.events.find_one({"_id": newer["_id"]})
    assert found
    assert "kafkaAt" not in found
