"""Live updates: short Redis streams that a server-sent-events route follows from any replica."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

import orjson
import redis.exceptions
from redis.asyncio import Redis

from intervai_shared.logs import log
from intervai_shared.redis import BLOCK_MS, stream_entries

#: Updates kept for a client that comes back with Last-Event-ID.
KEEP = 100
#: Seconds for which a silent stream is kept.
TTL_SECONDS = 3600
Update = TypeVar("Update")


class LiveUpdates:
    """Publishes to and follows channels. An update is a hint: the truth is in Mongo, so a lost one loses nothing."""

    def __init__(self, redis: Redis, service: str) -> None:
        self._redis = redis
        self._prefix = f"{service}:live"

    async def publish(self, channel: str, update: dict[str, Any]) -> None:
        """Adds an update; when Redis is down it is dropped with a log line."""
        key = f"{self._prefix}:{channel}"
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(key, {"data": orjson.dumps(update)}, maxlen=KEEP)
                pipe.expire(key, TTL_SECONDS)
                await pipe.execute()
        except redis.exceptions.RedisError as error:
            log.warning("live update not published", channel=channel, error=repr(error))

    async def forget(self, *channels: str) -> None:
        """Removes what was published. Raises redis.RedisError."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for channel in channels:
                pipe.delete(f"{self._prefix}:{channel}")
            await pipe.execute()

    async def latest_id(self, channel: str) -> str:
        """The id of the newest update: follow from it to see only what comes after now."""
        newest = await self._redis.xrevrange(f"{self._prefix}:{channel}", count=1)
        return stream_entries([(channel, newest)])[0][0] if newest else "0-0"

    async def follow(self, channel: str, after_id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Updates after `after_id`, as (id, update), until the caller stops. Raises redis.RedisError."""
        key = f"{self._prefix}:{channel}"
        while True:
            answer = await self._redis.xread({key: after_id}, count=KEEP, block=BLOCK_MS)
            for entry_id, fields in stream_entries(answer):
                after_id = entry_id
                yield entry_id, orjson.loads(fields[b"data"])


async def or_silence(updates: AsyncIterator[Update], seconds: float) -> AsyncGenerator[Update | None, None]:
    """The updates, and None whenever there has been none for so long; ends when Redis does not answer."""
    waiting = asyncio.ensure_future(anext(updates))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if done and isinstance(waiting.exception(), redis.exceptions.RedisError):
                return
            yield waiting.result() if done else None
            if done:
                waiting = asyncio.ensure_future(anext(updates))
    finally:
        waiting.cancel()
