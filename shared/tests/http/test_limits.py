"""Rate limits of a person: a moving window in Redis, with headers that say when to come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request
from limits.aio.storage.redis import redispy
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from intervai_shared import redis as redis_module
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.http.limits import RateLimits
from intervai_shared.settings import ServiceSettings

router = APIRouter()


@router.post("/limited")
async def limited(request: Request, who: str) -> None:
    await request.app.state.container.resources.limits.hit("test", "3/minute", who)


@pytest.fixture
def limits(redis: Redis, settings: ServiceSettings) -> RateLimits:
    return RateLimits(redis, settings)


@pytest.fixture
async def limits_without_redis(without_redis: ServiceSettings) -> AsyncIterator[RateLimits]:
    client = redis_module.connect(without_redis)
    yield RateLimits(client, without_redis)
    await client.aclose()


async def uses(limits: RateLimits, rule: str, who: str, tries: int) -> int:
    """How many of so many tries were let through."""
    answers = await asyncio.gather(*(limits.hit("test", rule, who) for _ in range(tries)), return_exceptions=True)
    assert {type(answer) for answer in answers} <= {type(None), TooManyRequestsError}
    return answers.count(None)


async def test_of_uses_at_once_exactly_as_many_pass_as_the_limit_allows(limits: RateLimits, service: str) -> None:
    assert await uses(limits, "5/minute", service, 20) == 5


async def test_each_person_and_each_limit_counts_by_itself(limits: RateLimits, service: str) -> None:
    assert await uses(limits, "2/minute", service, 5) == 2
    assert await uses(limits, "2/minute", f"{service}-other", 5) == 2
    await limits.hit("another", "2/minute", service)


async def test_processes_share_one_count(limits: RateLimits, settings: ServiceSettings, service: str) -> None:
    client = redis_module.connect(settings)
    assert await uses(limits, "3/minute", service, 2) == 2
    assert await uses(RateLimits(client, settings), "3/minute", service, 2) == 1
    await client.aclose()


async def test_the_window_moves_so_that_no_burst_passes_at_its_edge(
    limits: RateLimits, service: str, clock_of: Any
) -> None:
    clock = clock_of(redispy)
    await limits.hit("test", "2/hour", service)
    clock.ahead = 2000
    await limits.hit("test", "2/hour", service)
    clock.ahead = 3700  # the first use has left the window, the second has not
    assert await uses(limits, "2/hour", service, 5) == 1


async def test_a_refusal_says_when_to_come_back(
    serve: Callable[..., Awaitable[httpx.AsyncClient]], service: str
) -> None:
    client = await serve(router)
    for _ in range(3):
        assert (await client.post("/limited", params={"who": service})).status_code == 200
    answer = await client.post("/limited", params={"who": service})
    assert answer.status_code == 429
    assert answer.headers["RateLimit-Limit"] == "3"
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == answer.headers["Retry-After"]
    assert 50 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["title"] == "Too Many Requests"


@pytest.mark.parametrize(("scale", "passed"), [(0.0, 9), (0.1, 1), (1.0, 3), (2.0, 6)])
async def test_the_scale_multiplies_every_limit_and_zero_switches_it_off(
    redis: Redis, settings: ServiceSettings, service: str, scale: float, passed: int
) -> None:
    limits = RateLimits(redis, settings.model_copy(update={"rate_limit_scale": scale}))
    assert await uses(limits, "3/minute", service, 9) == passed


async def test_without_redis_everything_passes_and_is_counted(limits_without_redis: RateLimits) -> None:
    def unchecked() -> float:
        return REGISTRY.get_sample_value("intervai_rate_limit_unchecked_total", {"limit": "general"}) or 0

    before = unchecked()
    for _ in range(3):
        await limits_without_redis.general("somebody")
    assert unchecked() == before + 3


async def test_a_longer_period_than_one_is_kept_when_scaled(
    redis: Redis, settings: ServiceSettings, service: str
) -> None:
    limits = RateLimits(redis, settings.model_copy(update={"rate_limit_scale": 2}))
    assert await uses(limits, "1/15 minutes", service, 3) == 2
    with pytest.raises(TooManyRequestsError) as caught:
        await limits.hit("test", "1/15 minutes", service)
    assert 800 <= int(caught.value.headers["Retry-After"]) <= 900
