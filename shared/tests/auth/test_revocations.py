"""Log-out in one process is known in all, with no call to Redis per request."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis
from redis.exceptions import RedisError

from intervai_shared import redis as redis_module
from intervai_shared.auth import revocations as module
from intervai_shared.auth.principal import User
from intervai_shared.auth.revocations import Revocations
from intervai_shared.resources import open_resources
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture(autouse=True)
def own_stream(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STREAM", f"{service}:revocations")


async def test_what_one_process_publishes_another_that_follows_knows(redis: Redis, eventually: Eventually) -> None:
    here, there = Revocations(redis, 60), Revocations(redis, 60)
    async with keep_running("follow", there.follow):
        await here.publish("s1")
        assert "s1" in here
        await eventually(lambda: _knows(there, "s1"))
    assert "s2" not in there


async def test_a_process_that_starts_later_knows_what_was_revoked_before_it_serves(
    settings: ServiceSettings, redis: Redis
) -> None:
    for number in range(1200):  # more than one read of the stream
        await Revocations(redis, 60).publish(f"s{number}")
    async with open_resources(settings, {}) as resources:
        assert "s0" in resources.revocations
        assert "s1199" in resources.revocations


async def test_a_process_starts_without_redis_and_learns_when_it_is_back(
    over_wire: ServiceSettings, redis_wire: Any, redis: Redis, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intervai_shared.tasks.RESTART_SECONDS", 0.05)
    await redis_wire.cut()
    async with open_resources(over_wire, {}) as resources:
        await Revocations(redis, 60).publish("s1")
        assert "s1" not in resources.revocations
        await redis_wire.mend()
        await eventually(lambda: _knows(resources.revocations, "s1"))


async def test_a_follower_that_lost_redis_learns_what_it_missed(
    over_wire: ServiceSettings, redis_wire: Any, redis: Redis, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intervai_shared.tasks.RESTART_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        client = redis_module.connect(over_wire)
        stack.push_async_callback(client.aclose)
        follower = Revocations(client, 60)
        await stack.enter_async_context(keep_running("follow", follower.follow))
        await Revocations(redis, 60).publish("before")
        await eventually(lambda: _knows(follower, "before"))
        await redis_wire.cut()
        await Revocations(redis, 60).publish("meanwhile")
        assert "before" in follower
        await redis_wire.mend()
        await eventually(lambda: _knows(follower, "meanwhile"))


async def test_what_is_older_than_a_token_lives_is_not_read_and_is_forgotten(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, eventually: Eventually, clock_of: Any
) -> None:
    clock = clock_of(module)
    old = f"{int((time.time() - 61) * 1000)}-0"
    await redis.xadd(module.STREAM, {"sid": "old"}, id=old)
    revocations = Revocations(redis, 60)
    await revocations.publish("recent")
    await revocations.load()
    assert "old" not in revocations
    monkeypatch.setattr(module, "BLOCK_MS", 20)
    clock.ahead = 62
    async with keep_running("follow", revocations.follow):
        await eventually(lambda: _forgot(revocations, "recent"))


async def test_a_revoked_key_is_known_everywhere_and_never_forgotten(
    redis: Redis, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, clock_of: Any
) -> None:
    clock = clock_of(module)
    follower = Revocations(redis, 60)
    monkeypatch.setattr(module, "BLOCK_MS", 20)
    async with keep_running("follow", follower.follow):
        publisher = Revocations(redis, 60)
        await publisher.publish_key("k1")
        await publisher.publish("s1")
        await eventually(lambda: _knows(follower, "s1"))
        clock.ahead = 62
        await eventually(lambda: _forgot(follower, "s1"))
    assert follower.covers_key("k1")
    assert not follower.covers_key("s1")
    assert follower.key_revoked.is_set()


async def test_the_stream_does_not_grow_beyond_a_token_life(redis: Redis) -> None:
    async with redis.pipeline() as pipe:
        for number in range(500):
            pipe.xadd(module.STREAM, {"sid": "old"}, id=f"{1000 + number}-0")
        await pipe.execute()
    await Revocations(redis, 60).publish("new")
    assert await redis.xlen(module.STREAM) < 200  # Redis trims by blocks of 100


async def test_a_revocation_that_could_not_be_said_raises(without_redis: ServiceSettings) -> None:
    client = redis_module.connect(without_redis)
    revocations = Revocations(client, 60)
    with pytest.raises(RedisError):
        await revocations.publish("s1")
    assert "s1" not in revocations
    await client.aclose()


def _user(user_id: ObjectId, session_id: str = "s9", issued_at: float = 0.0) -> User:
    return User(user_id, session_id, frozenset(), expires_at=0, issued_at=int(issued_at))


async def test_a_person_can_be_revoked_with_all_sessions_that_anybody_knows_of(
    redis: Redis, eventually: Eventually
) -> None:
    here, there, person = Revocations(redis, 60), Revocations(redis, 60), ObjectId()
    before = _user(person, issued_at=time.time())
    async with keep_running("follow", there.follow):
        assert not there.covers(before)
        await here.publish_user(person)
        assert here.covers(before)

        async def known() -> bool:
            return there.covers(before)

        await eventually(known)
    assert not there.covers(_user(ObjectId(), issued_at=time.time()))


async def test_what_was_issued_after_a_person_was_revoked_is_good(redis: Redis) -> None:
    revocations, person = Revocations(redis, 60), ObjectId()
    await revocations.publish_user(person)
    assert revocations.covers(_user(person, issued_at=time.time() - 30))
    assert not revocations.covers(_user(person, issued_at=time.time() + 1))


async def test_a_revoked_session_covers_its_own_tokens_only(redis: Redis) -> None:
    revocations, person = Revocations(redis, 60), ObjectId()
    await revocations.publish("s1", "s2")
    covered = [name for name in ("s1", "s2", "s3") if revocations.covers(_user(person, name, time.time()))]
    assert covered == ["s1", "s2"]


async def test_a_revoked_person_is_forgotten_when_the_last_token_has_ended(
    redis: Redis, clock_of: Callable[[ModuleType], Any]
) -> None:
    clock, revocations, person = clock_of(module), Revocations(redis, 60), ObjectId()
    await revocations.publish_user(person)
    old = _user(person, issued_at=time.time() - 30)
    revocations._forget(clock.time())
    assert revocations.covers(old)
    clock.ahead = 62
    revocations._forget(clock.time())
    assert not revocations.covers(old)


async def _knows(revocations: Revocations, session_id: str) -> bool:
    await asyncio.sleep(0)
    return session_id in revocations


async def _forgot(revocations: Revocations, session_id: str) -> bool:
    return session_id not in revocations
