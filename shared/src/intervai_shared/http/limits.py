"""Rate limits of a person, kept in Redis (moving window), open when Redis is down."""

import hashlib
import math
import time
from typing import Any

import limits.aio.strategies
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from prometheus_client import Counter
from redis.asyncio import Redis

from intervai_shared.errors import TooManyRequestsError
from intervai_shared.logs import log
from intervai_shared.settings import ServiceSettings

REFUSED = Counter("intervai_rate_limited_total", "Requests refused by a rate limit", ["limit"])
UNCHECKED = Counter("intervai_rate_limit_unchecked_total", "Requests let through since Redis did not answer", ["limit"])


class _Storage(RedisStorage):
    """On our client, whatever it is connected to; each count is one key, so a Cluster's nodes share them."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        super().__init__("async+redis://", implementation="redispy", wrap_exceptions=True)

    def configure_bridge(self) -> None:
        bridge: Any = self.bridge
        bridge.storage = self._client
        bridge.connection_getter = lambda _: self._client


class RateLimits:
    """Named limits like `20/hour`, multiplied by RATE_LIMIT_SCALE (0 = off)."""

    def __init__(self, redis: Redis, settings: ServiceSettings) -> None:
        self._window = limits.aio.strategies.MovingWindowRateLimiter(_Storage(redis))
        self._scale = settings.rate_limit_scale
        self._general = settings.rate_limit_general

    async def general(self, who: str) -> None:
        """The limit of every signed-in request. Raises TooManyRequestsError."""
        await self.hit("general", self._general, who)

    async def hit(self, name: str, rule: str, who: str) -> None:
        """Counts one use of `name` by `who` against `rule`.

        Raises:
            TooManyRequestsError: the limit is used up; carries Retry-After and RateLimit-* headers
                (draft-ietf-httpapi-ratelimit-headers).
        """
        if self._scale == 0:
            return
        item, who = self._scaled(rule), _pseudonym(who)
        try:
            allowed = await self._window.hit(item, name, who)
            reset = 0.0 if allowed else (await self._window.get_window_stats(item, name, who)).reset_time
        except limits.errors.StorageError as error:
            UNCHECKED.labels(name).inc()
            log.warning("rate limit not checked", limit=name, error=repr(error))
            return
        if not allowed:
            REFUSED.labels(name).inc()
            seconds = max(1, math.ceil(reset - time.time()))
            raise refusal(f"The limit of {item} is used up.", item.amount, seconds)

    def _scaled(self, rule: str) -> RateLimitItem:
        item = parse(rule)
        return type(item)(max(1, round(item.amount * self._scale)), item.multiples)


def _pseudonym(who: str) -> str:
    """Redis learns nobody's e-mail or address from a limit."""
    return hashlib.blake2b(who.encode(), digest_size=16).hexdigest()


def refusal(detail: str, limit: int, wait_seconds: int) -> TooManyRequestsError:
    """The answer to who must wait (draft-ietf-httpapi-ratelimit-headers); `limit`: how much there is of it."""
    headers = {
        "Retry-After": str(wait_seconds),
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(wait_seconds),
    }
    return TooManyRequestsError(detail, headers=headers)
