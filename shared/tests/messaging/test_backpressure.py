"""Past a length a queue takes no more, wherever the messages wait."""

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared import redis as redis_module
from intervai_shared.errors import UnavailableError
from intervai_shared.messaging import backpressure as module
from intervai_shared.messaging import broker
from intervai_shared.messaging.backpressure import Backpressure
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.messaging.relay import Relay
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def add(mongo: Mongo, redis: Redis, service: str, count: int, queue: str = "slow") -> None:
    outbox = Outbox(mongo, redis, service)

    async def store(session: Session) -> None:
        for _ in range(count):
            await outbox.add_job(session, "work", queue, str(ObjectId()))

    await outbox.transaction(store)


async def refuses(pressure: Backpressure, most: int) -> bool:
    try:
        await pressure.check("slow", most)
    except UnavailableError:
        return True
    return False


@pytest.fixture
def pressure(redis: Redis, mongo: Mongo, service: str, monkeypatch: pytest.MonkeyPatch) -> Backpressure:
    """One that looks each time."""
    monkeypatch.setattr(module, "BELIEVE_SECONDS", -1.0)
    return Backpressure(QueueLengths(redis, mongo.db, service))


async def test_what_waits_in_the_outbox_counts(
    pressure: Backpressure, mongo: Mongo, redis: Redis, service: str
) -> None:
    await add(mongo, redis, service, 3)
    await add(mongo, redis, service, 9, queue="other")
    assert not await refuses(pressure, 4)
    with pytest.raises(UnavailableError) as refused:
        await pressure.check("slow", 3)
    assert refused.value.headers["Retry-After"] == str(module.RETRY_AFTER_SECONDS)


async def test_what_waits_in_the_queue_counts_and_what_has_been_done_does_not(
    pressure: Backpressure, mongo: Mongo, redis: Redis, settings: ServiceSettings, eventually: Eventually
) -> None:
    await add(mongo, redis, settings.service, 3)
    relay = Relay(settings, mongo.db, redis, {})

    async def all_are_sent() -> bool:
        return not await mongo.db.outbox.count_documents({"state": "pending"})

    async with keep_running("relay", relay.run):
        await eventually(all_are_sent)
    assert await refuses(pressure, 3)
    assert not await refuses(pressure, 4)
    consumer = broker.publisher(settings, settings.service)
    consumer.declare_queue("slow")
    messages = consumer.consume("slow", prefetch=10, timeout=100)
    message = next(messages)
    assert await refuses(pressure, 3)  # fetched, not done
    assert message is not None
    messages.ack(message)
    assert not await refuses(pressure, 3)


async def test_without_redis_the_outbox_is_what_counts(
    without_redis: ServiceSettings, mongo: Mongo, redis: Redis, service: str
) -> None:
    dead = redis_module.connect(without_redis)
    await add(mongo, redis, service, 2)
    assert await refuses(Backpressure(QueueLengths(dead, mongo.db, service)), 2)
    assert not await refuses(Backpressure(QueueLengths(dead, mongo.db, service)), 3)
    await dead.aclose()


async def test_a_length_is_believed_for_a_moment(
    mongo: Mongo, redis: Redis, service: str, clock_of: Callable[[ModuleType], Any]
) -> None:
    clock = clock_of(module)
    pressure = Backpressure(QueueLengths(redis, mongo.db, service))
    assert not await refuses(pressure, 2)
    await add(mongo, redis, service, 2)
    assert not await refuses(pressure, 2)
    clock.ahead = module.BELIEVE_SECONDS + 0.1
    assert await refuses(pressure, 2)
