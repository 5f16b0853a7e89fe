"""A Cluster, or Sentinels, that nobody answers for are like a Redis that is down: nothing else breaks."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from dramatiq import Message
from pydantic import BaseModel, SecretStr
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from intervai_local.topologies import ESCAPED, Node
from intervai_shared import cache as cache_module
from intervai_shared import redis as redis_module
from intervai_shared.auth.revocations import Revocations
from intervai_shared.cache import ModelCache
from intervai_shared.http.limits import RateLimits
from intervai_shared.live import LiveUpdates
from intervai_shared.messaging import broker
from intervai_shared.settings import ServiceSettings

MESSAGE: Message[None] = Message(queue_name="jobs", actor_name="do", args=(), kwargs={}, options={}, message_id="m")


class Profile(BaseModel):
    name: str


@pytest.fixture
def without_replicas(settings: ServiceSettings, tmp_path: Path) -> Iterator[ServiceSettings]:
    """A master that has lost its replicas, and shall not go on without."""
    node = Node(tmp_path / "lonely", {"min-replicas-to-write": 1})
    try:
        node.start()
        url = f"redis://:{ESCAPED}@127.0.0.1:{node.port}/0"
        yield settings.model_copy(update={"redis_url": SecretStr(url)})
    finally:
        node.kill()


@pytest.fixture(params=["redis://:p@{0},{1}", "redis+cluster://:p@{0}", "redis+sentinel://:p@{0},{1}/mymaster"])
def nobody(settings: ServiceSettings, request: pytest.FixtureRequest) -> Iterator[ServiceSettings]:
    """Ports that are ours, and where nobody listens."""
    with socket.socket() as one, socket.socket() as two:
        nodes = []
        for unused in (one, two):
            unused.bind(("127.0.0.1", 0))
            nodes.append(f"127.0.0.1:{unused.getsockname()[1]}")
        yield settings.model_copy(update={"redis_url": SecretStr(request.param.format(*nodes))})


@pytest.fixture
async def redis(nobody: ServiceSettings) -> AsyncIterator[Redis]:
    client = redis_module.connect(nobody)
    yield client
    await client.aclose()


async def test_every_command_says_that_the_connection_failed(redis: Redis, service: str) -> None:
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await redis.get(service)
        with pytest.raises(RedisConnectionError):
            await redis.ping()
        with pytest.raises(RedisConnectionError):
            await redis.lock(service, timeout=1).acquire(blocking=False)
        with pytest.raises(RedisConnectionError):
            await redis.register_script("return 1")(keys=[service])
        with pytest.raises(RedisConnectionError):
            await Revocations(redis, 600).load()
        async with redis.pubsub() as channel:
            with pytest.raises(RedisConnectionError):
                await channel.subscribe(service)
        with pytest.raises(RedisConnectionError):
            async with redis.pipeline(transaction=False) as pipe:
                await pipe.hlen(service).execute()


async def test_what_can_live_without_redis_does(redis: Redis, nobody: ServiceSettings, service: str) -> None:
    async def load() -> Profile:
        return Profile(name="Ada")

    backend = cache_module.connect(nobody)
    cache = ModelCache(backend, service, Profile, 60)
    for _ in range(2):
        await RateLimits(redis, nobody).hit("test", "1/minute", service)
        assert (await cache.get_or_load("u", load)).name == "Ada"
        await cache.invalidate("u")
        await LiveUpdates(redis, service).publish("job:1", {})
    await backend.close()


def test_a_broker_is_made_and_says_it_when_it_is_used(nobody: ServiceSettings, service: str) -> None:
    publisher, worker = broker.publisher(nobody, service), broker.consumer(nobody)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            publisher.enqueue(MESSAGE)
        with pytest.raises(RedisConnectionError):
            worker.client.delete(service)


async def test_a_master_without_its_replicas_is_as_good_as_away(
    without_replicas: ServiceSettings, service: str
) -> None:
    client = redis_module.connect(without_replicas)
    assert await client.get(service) is None
    for write in (
        client.set(service, "value"),
        client.register_script("return redis.call('SET', KEYS[1], 'value')")(keys=[service]),
        client.pipeline(transaction=False).set(service, "value").execute(),
        Revocations(client, 600).publish("session"),
    ):
        with pytest.raises(RedisConnectionError):
            await write
    await client.aclose()
    with pytest.raises(RedisConnectionError):
        broker.publisher(without_replicas, service).enqueue(MESSAGE)
