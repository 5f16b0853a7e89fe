"""Redis that is silent, or has broken off: one command finds out, the others do not wait."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from intervai_shared import redis_retry as module
from intervai_shared.redis_retry import FailFast


class Server:
    """Counts its commands; each ends as `will` says."""

    def __init__(self) -> None:
        self.commands = 0
        self.will: Exception | None = None

    async def command(self) -> str:
        self.commands += 1
        if self.will:
            raise self.will
        return "ok"


async def nothing(*_: Any) -> None:
    """What redis-py does after a failure: it closes the connection."""


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def send(server: Server) -> Callable[[], Awaitable[str]]:
    retry = FailFast()
    return lambda: retry.call_with_retry(server.command, nothing)


async def test_a_connection_that_is_lost_costs_one_retry_and_no_silence(
    server: Server, send: Callable[[], Awaitable[str]]
) -> None:
    server.will = RedisConnectionError("refused")
    for tries in (2, 4, 6):
        with pytest.raises(RedisConnectionError):
            await send()
        assert server.commands == tries
    server.will = None
    assert await send() == "ok"


async def test_after_a_time_out_nobody_asks_for_a_while_then_one_does(
    server: Server, send: Callable[[], Awaitable[str]], clock_of: Any
) -> None:
    clock = clock_of(module)
    server.will = RedisTimeoutError("silent")
    for _ in range(5):
        with pytest.raises((RedisTimeoutError, RedisConnectionError)):
            await send()
    assert server.commands == 1
    clock.ahead += module.BREAK_SECONDS + 0.1
    results = await asyncio.gather(*(send() for _ in range(10)), return_exceptions=True)
    assert server.commands == 2
    assert all(isinstance(result, RedisConnectionError) for result in results)


async def test_a_server_that_answers_again_is_used_again_by_all(
    server: Server, send: Callable[[], Awaitable[str]], clock_of: Any
) -> None:
    clock = clock_of(module)
    server.will = RedisTimeoutError("silent")
    with pytest.raises(RedisConnectionError):
        await send()
    server.will = None
    clock.ahead += module.BREAK_SECONDS + 0.1
    assert await send() == "ok"
    assert await asyncio.gather(*(send() for _ in range(10))) == ["ok"] * 10


async def test_a_trial_that_is_cancelled_leaves_the_next_to_somebody_else() -> None:
    retry = FailFast()
    retry._silent_until = 1.0  # long ago
    trial = asyncio.create_task(retry.call_with_retry(lambda: asyncio.sleep(3600), nothing))
    await asyncio.sleep(0)
    with pytest.raises(RedisConnectionError):
        await retry.call_with_retry(lambda: asyncio.sleep(0), nothing)
    trial.cancel()
    await asyncio.wait({trial})
    assert await retry.call_with_retry(lambda: asyncio.sleep(0, "ok"), nothing) == "ok"


async def test_what_uvloop_says_of_a_closed_connection_is_a_lost_connection(
    server: Server, send: Callable[[], Awaitable[str]]
) -> None:
    server.will = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
    with pytest.raises(RedisConnectionError):
        await send()
    assert server.commands == 2


async def test_the_connections_of_a_client_share_what_they_know(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("REDIS") == "cluster":
        pytest.skip("a Cluster's connections know it by node, see messaging/topologies/test_cluster.py")
    assert await redis.ping()
    retry: Any = redis.get_connection_kwargs()["retry"]
    assert isinstance(retry, FailFast)
    retry._silent_until = float("inf")
    results = await asyncio.gather(*(redis.ping() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [RedisConnectionError] * 5
    retry._silent_until = 0.0
    assert await redis.ping()
