"""What the chassis does in Redis is the same with Sentinels and on a Cluster."""

import asyncio
import time
from typing import Any

import pytest
from dramatiq import Message
from pydantic import BaseModel
from redis.asyncio import Redis

from intervai_shared import cache as cache_module
from intervai_shared import redis as redis_module
from intervai_shared.auth.revocations import Revocations
from intervai_shared.cache import ModelCache
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.http.limits import RateLimits
from intervai_shared.live import LiveUpdates
from intervai_shared.messaging import broker
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.mongo import Mongo
from intervai_shared.settings import ServiceSettings


class Profile(BaseModel):
    name: str


def message(number: int, queue: str = "jobs") -> Message[Any]:
    return Message(queue_name=queue, actor_name="do", args=(number,), kwargs={}, options={}, message_id=f"m{number}")


def take(consumer: Any, count: int) -> list[Any]:
    """The next so many messages."""
    taken: list[Any] = []
    ends = time.monotonic() + 20
    while len(taken) < count and time.monotonic() < ends:
        if (one := next(consumer)) is not None:
            taken.append(one)
    return taken


async def test_keys_of_all_slots_are_written_and_read(redis: Redis, service: str) -> None:
    names = [f"{service}:{number}" for number in range(50)]
    for name in names:
        await redis.set(name, name)
    assert [await redis.get(name) for name in names] == [name.encode() for name in names]
    assert await redis.ping()


async def test_a_lock_is_held_by_one_and_can_be_extended(redis: Redis, service: str) -> None:
    first, second = (redis.lock(f"{service}:leader", timeout=5) for _ in range(2))
    assert await first.acquire(blocking=False)
    assert not await second.acquire(blocking=False)
    assert await first.extend(60, replace_ttl=True)
    assert 5 < await redis.ttl(f"{service}:leader") <= 60
    await first.release()
    assert await second.acquire(blocking=False)


async def test_a_wake_up_reaches_whoever_listens(redis: Redis, settings: ServiceSettings, service: str) -> None:
    other = redis_module.connect(settings)
    async with redis.pubsub() as wake_ups:
        await wake_ups.subscribe(service)
        assert (await wake_ups.get_message(timeout=5))["type"] == "subscribe"
        for word in (b"one", b"two"):
            await other.publish(service, word)
            assert (await wake_ups.get_message(ignore_subscribe_messages=True, timeout=5))["data"] == word
    await other.aclose()


async def test_live_updates_are_followed_from_their_beginning_on(redis: Redis, service: str) -> None:
    live = LiveUpdates(redis, service)
    await live.publish("job:1", {"progress": 1})
    seen = []
    async for _, update in live.follow("job:1", "0-0"):
        seen.append(update["progress"])
        if len(seen) == 3:
            break
        await live.publish("job:1", {"progress": len(seen) + 1})
    assert seen == [1, 2, 3]
    assert (await live.latest_id("job:1")) != "0-0"


async def test_an_ended_session_is_known_in_every_process(redis: Redis, settings: ServiceSettings) -> None:
    there, other = Revocations(redis, 600), redis_module.connect(settings)
    here = Revocations(other, 600)
    await there.publish("before")
    await here.load()
    assert "before" in here
    following = asyncio.create_task(here.follow())
    await there.publish("after")
    async with asyncio.timeout(10):
        while "after" not in here:  # noqa: ASYNC110  it is another process that changes
            await asyncio.sleep(0.01)
    following.cancel()
    await other.aclose()


async def test_a_limit_is_counted_by_all_processes_together(
    redis: Redis, settings: ServiceSettings, service: str
) -> None:
    other = redis_module.connect(settings)
    processes = [RateLimits(client, settings) for client in (redis, other)]
    hits = (limits.hit("test", "5/minute", service) for limits in processes * 10)
    answers = await asyncio.gather(*hits, return_exceptions=True)
    assert {type(answer) for answer in answers} == {type(None), TooManyRequestsError}
    assert answers.count(None) == 5
    await other.aclose()


async def test_what_one_process_has_cached_the_others_read_until_it_changes(
    settings: ServiceSettings, service: str
) -> None:
    backends = [cache_module.connect(settings) for _ in range(2)]
    caches = [ModelCache(backend, f"{service}:profile", Profile, 60) for backend in backends]
    loads: list[str] = []

    async def load() -> Profile:
        loads.append(f"name {len(loads) + 1}")
        name = loads[-1]
        await asyncio.sleep(0.05)
        return Profile(name=name)

    found = await asyncio.gather(*(cache.get_or_load(f"u{n}", load) for n in range(3) for cache in caches * 10))
    assert len(loads) == 3
    assert len({profile.name for profile in found}) == 3
    await caches[0].invalidate("u1")
    assert (await caches[1].get_or_load("u1", load)).name == "name 4"
    for backend in backends:
        await backend.close()


async def test_commands_that_come_at_once_before_the_first_answer_all_succeed(
    settings: ServiceSettings, service: str
) -> None:
    client = redis_module.connect(settings)
    assert await asyncio.gather(*(client.incr(f"{service}:{number}") for number in range(200))) == [1] * 200
    await client.aclose()


async def test_all_messages_of_a_queue_are_counted(
    redis: Redis, mongo: Mongo, settings: ServiceSettings, service: str
) -> None:
    publisher = broker.publisher(settings, service)
    for number, queue in enumerate(("jobs", "jobs", "jobs.bulk", "events")):
        publisher.enqueue(message(number, queue))
    publisher.enqueue(message(4), delay=60_000)
    assert await QueueLengths(redis, mongo.db, service).in_redis("jobs") == 4


def test_what_a_dead_worker_had_fetched_goes_to_another(
    settings: ServiceSettings, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "HEARTBEAT_TIMEOUT_MS", 200)
    monkeypatch.setattr(broker, "MAINTENANCE_CHANCE", 1_000_000)
    publisher = broker.publisher(settings, service)
    for number in range(5):
        publisher.enqueue(message(number))
    dead = broker.consumer(settings).consume("jobs", prefetch=3)
    assert [one.args[0] for one in take(dead, 3)] == [0, 1, 2]
    living = broker.consumer(settings).consume("jobs", prefetch=10)
    taken = take(living, 5)
    assert sorted(one.args[0] for one in taken) == [0, 1, 2, 3, 4]
    for one in taken:
        living.ack(one)
    assert publisher.client.hlen(f"{broker.namespace(service)}:jobs.msgs") == 0
