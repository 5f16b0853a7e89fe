"""Live updates: who follows from an id misses nothing that came after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from intervai_shared import live as module
from intervai_shared import redis as redis_module
from intervai_shared.live import LiveUpdates, or_silence
from intervai_shared.settings import ServiceSettings


@pytest.fixture
def live(redis: Redis, service: str) -> LiveUpdates:
    return LiveUpdates(redis, service)


async def taken(updates: AsyncIterator[tuple[str, dict[str, int]]], count: int) -> list[int]:
    """The numbers of the next so many updates."""
    numbers: list[int] = []
    async with asyncio.timeout(20):
        async for _, update in updates:
            numbers.append(update["number"])
            if len(numbers) == count:
                break
    return numbers


async def test_a_follower_gets_what_comes_in_its_order(live: LiveUpdates) -> None:
    following = asyncio.create_task(taken(live.follow("job:1", "0-0"), 30))
    for number in range(30):
        await live.publish("job:1", {"number": number})
    assert await following == list(range(30))


async def test_one_who_comes_back_with_the_last_id_misses_and_repeats_nothing(live: LiveUpdates) -> None:
    for number in range(3):
        await live.publish("job:1", {"number": number})
    first = live.follow("job:1", "0-0")
    last_id, update = await anext(first)
    assert update == {"number": 0}
    await live.publish("job:1", {"number": 3})
    assert await taken(live.follow("job:1", last_id), 3) == [1, 2, 3]


async def test_one_who_starts_from_now_sees_only_what_comes_after(live: LiveUpdates) -> None:
    assert await live.latest_id("job:1") == "0-0"
    await live.publish("job:1", {"number": 1})
    now = await live.latest_id("job:1")
    await live.publish("job:1", {"number": 2})
    assert await taken(live.follow("job:1", now), 1) == [2]


async def test_channels_and_services_do_not_mix(live: LiveUpdates, redis: Redis, service: str) -> None:
    await live.publish("job:2", {"number": 2})
    await LiveUpdates(redis, f"{service}-other").publish("job:1", {"number": 3})
    await live.publish("job:1", {"number": 1})
    assert await taken(live.follow("job:1", "0-0"), 1) == [1]


async def test_followers_wait_through_silence(live: LiveUpdates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_MS", 10)
    following = asyncio.create_task(taken(live.follow("job:1", "0-0"), 1))
    await asyncio.sleep(0.1)
    await live.publish("job:1", {"number": 1})
    assert await following == [1]


async def test_a_hundred_and_fifty_can_follow_in_one_process_and_it_still_works(live: LiveUpdates) -> None:
    followers = [asyncio.create_task(taken(live.follow("job:1", "0-0"), 1)) for _ in range(150)]
    await asyncio.sleep(0.3)  # all of them hold a connection by now
    await live.publish("job:1", {"number": 7})
    assert await asyncio.gather(*followers) == [[7]] * 150


async def test_a_channel_is_short_and_goes_away_by_itself(live: LiveUpdates, redis: Redis, service: str) -> None:
    for number in range(500):
        await live.publish("job:1", {"number": number})
    key = f"{service}:live:job:1"
    assert module.KEEP <= await redis.xlen(key) < 2 * module.KEEP + 100
    assert 0 < await redis.ttl(key) <= module.TTL_SECONDS


async def test_without_redis_an_update_is_dropped_and_a_follower_is_told(without_redis: ServiceSettings) -> None:
    client = redis_module.connect(without_redis)
    live = LiveUpdates(client, "probe")
    await live.publish("job:1", {"number": 1})
    with pytest.raises(RedisError):
        await anext(live.follow("job:1", "0-0"))
    await client.aclose()


async def test_a_silence_is_told_as_none_and_loses_no_update(live: LiveUpdates) -> None:
    heard: list[int | None] = []
    async with asyncio.timeout(20), aclosing(or_silence(live.follow("job:1", "0-0"), 0.01)) as updates:
        async for found in updates:
            heard.append(found[1]["number"] if found else None)
            if len(heard) % 2 and len(heard) < 8:
                await live.publish("job:1", {"number": len(heard)})
            if heard.count(None) >= 3 and len(heard) - heard.count(None) == 4:
                break
    assert [number for number in heard if number is not None] == [1, 3, 5, 7]


async def test_who_listens_for_silence_is_told_by_the_end_that_redis_is_away(without_redis: ServiceSettings) -> None:
    client = redis_module.connect(without_redis)
    assert [found async for found in or_silence(LiveUpdates(client, "probe").follow("job:1", "0-0"), 60)] == []
    await client.aclose()
