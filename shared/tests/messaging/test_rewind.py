"""A Redis that has lost messages, and a relay that sends them again."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from intervai_shared.messaging import rewind
from intervai_shared.messaging.relay import Relay
from intervai_shared.mongo import Mongo
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def queue(service: str) -> str:
    return "{intervai-" + service + "}:jobs"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewind, "LOOK_SECONDS", 0.1)


@pytest.fixture
def relay(settings: ServiceSettings, mongo: Mongo, redis: Redis) -> Relay:
    return Relay(settings, mongo.db, redis, {})


async def send(desk: Any, redis: Redis, queue: str, eventually: Eventually, count: int) -> None:
    """That many jobs, as far as Redis."""
    there = await redis.llen(queue)
    for _ in range(count):
        await desk.add("ok")

    async def arrived() -> bool:
        unsent = await desk.db.outbox.count_documents({"state": "pending"})
        return bool(await redis.llen(queue) == there + count and not unsent)

    await eventually(arrived)


async def test_what_a_redis_without_data_had_is_sent_again(
    relay: Relay, desk: Any, redis: Redis, queue: str, eventually: Eventually
) -> None:
    async with keep_running("relay", relay.run):
        await send(desk, redis, queue, eventually, 5)
        keys = [key async for key in redis.scan_iter(f"{queue.partition(':')[0]}:*")]
        await redis.delete(*keys)

        async def there_again() -> bool:
            return bool(await redis.llen(queue) == 5)

        await eventually(there_again)


async def test_what_a_redis_has_is_not_sent_again(
    relay: Relay, desk: Any, redis: Redis, queue: str, eventually: Eventually
) -> None:
    for _ in range(2):
        async with keep_running("relay", relay.run):
            await send(desk, redis, queue, eventually, 3)
            await send(desk, redis, queue, eventually, 2)
    assert await redis.llen(queue) == 10


async def test_only_what_was_sent_after_the_mark_of_a_new_master_is_sent_again(
    relay: Relay, desk: Any, redis: Redis, queue: str, eventually: Eventually
) -> None:
    mark = f"{queue.partition(':')[0]}:relay-mark"
    async with keep_running("relay", relay.run):
        await send(desk, redis, queue, eventually, 3)
        replicated = await redis.get(mark)
        await send(desk, redis, queue, eventually, 2)
    for _ in range(2):
        await redis.rpop(queue)
    await redis.set(mark, replicated)  # the new master has got as far as this
    async with keep_running("relay", relay.run):

        async def there_again() -> bool:
            return bool(await redis.llen(queue) == 5)

        await eventually(there_again)
        await send(desk, redis, queue, eventually, 1)
    assert await redis.llen(queue) == 6
