"""The master dies: who works on it goes on at the new one, without a restart."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError

from intervai_local.topologies import Topology
from intervai_shared import cache as cache_module
from intervai_shared import redis as redis_module
from intervai_shared import tasks
from intervai_shared.auth.revocations import STREAM, Revocations
from intervai_shared.cache import ModelCache
from intervai_shared.http.limits import RateLimits
from intervai_shared.messaging import broker
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
#: A hash tag: with it all keys of a test are on the node that is killed.
TAG = "{" + STREAM + "}"


class Profile(BaseModel):
    name: str


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_SECONDS", 0.1)


async def works(command: Callable[[], Awaitable[Any]]) -> bool:
    """Whether a command is done; it may fail only as commands do when Redis is away."""
    try:
        await command()
    except RedisError:
        return False
    return True


async def test_every_use_goes_on_at_the_new_master(
    redis: Redis, settings: ServiceSettings, topology: Topology, service: str, eventually: Eventually, quick: None
) -> None:
    key = f"{TAG}:{service}"
    limits, backend = RateLimits(redis, settings), cache_module.connect(settings)
    cache, revocations = ModelCache(backend, key, Profile, 60), Revocations(redis, 600)
    other = redis_module.connect(settings)
    ending = Revocations(other, 600)
    loads: list[int] = []
    heard: list[bytes] = []
    numbers = itertools.count(1000)

    async def load() -> Profile:
        loads.append(1)
        return Profile(name="Ada")

    async def listen() -> None:
        async with redis.pubsub() as channel:
            await channel.subscribe(key)
            while True:
                if message := await channel.get_message(ignore_subscribe_messages=True, timeout=1):
                    heard.append(message["data"])

    async def round_trip(number: int) -> bool:
        """One of everything; what may live without Redis never fails."""
        await limits.hit("test", "1000/minute", key)
        assert (await cache.get_or_load(f"u{number}", load)).name == "Ada"
        return all(
            [
                await works(lambda: redis.set(key, number)),
                await works(lambda: other.publish(key, b"wake up")),
                await works(lambda: ending.publish(f"{service}-{number}")),
            ]
        )

    async def all_is_well() -> bool:
        number = next(numbers)
        heard.clear()
        loads.clear()
        is_done = await round_trip(number) and await round_trip(number)
        await asyncio.sleep(0.2)
        return is_done and len(loads) == 1 and bool(heard) and f"{service}-{number}" in revocations

    async with keep_running("revocations", revocations.follow), keep_running("listener", listen):
        await eventually(all_is_well)
        failing_over = asyncio.create_task(asyncio.to_thread(topology.fail_over, key))
        while not failing_over.done():
            await round_trip(next(numbers))
            await asyncio.sleep(0.05)
        await failing_over
        await eventually(all_is_well)
        assert await redis.ping()  # with a node that is down
    await backend.close()
    await other.aclose()


async def test_jobs_that_run_wait_or_are_retried_are_done_once_all_the_same(
    start_worker: Callable[..., Any], desk: Any, topology: Topology, service: str, eventually: Eventually
) -> None:
    await asyncio.to_thread(start_worker)
    running, failing = await desk.add("wait"), await desk.add("fail")
    before = [await desk.add("ok") for _ in range(5)]

    async def begun() -> bool:
        return bool(await desk.attempts(running)) and bool(await desk.attempts(failing))

    await eventually(begun)
    failing_over = asyncio.create_task(asyncio.to_thread(topology.fail_over, broker.namespace(service)))
    meanwhile = []
    while not failing_over.done():
        meanwhile.append(await desk.add("ok"))
        await asyncio.sleep(0.1)
    await failing_over
    await desk.let_go_on(running)
    good = [running, *before, *meanwhile, await desk.add("ok")]

    async def all_ended() -> bool:
        states = {await desk.status(job_id) for job_id in good}
        events = {await desk.done_events(job_id) for job_id in good}
        return states == {"succeeded"} and events == {1} and await desk.status(failing) == "failed"

    await eventually(all_ended)
    assert await desk.attempts(failing) == [1, 2, 3]
