"""One process at a time: a lock in Redis that its holder renews."""

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import RedisError


class Leader:
    """Of all processes that ask for the same name one leads; when it dies, another may after `seconds`."""

    def __init__(self, redis: Redis, name: str, seconds: float) -> None:
        self._seconds = seconds
        self._lock = redis.lock(name, timeout=seconds)

    async def leads(self) -> bool:
        """Takes the lead if nobody has it, or renews it. Raises redis.RedisError."""
        if await self._lock.owned():
            return bool(await self._lock.extend(self._seconds, replace_ttl=True))
        return bool(await self._lock.acquire(blocking=False))

    async def resign(self) -> None:
        """Gives the lead back, so that the next need not wait for its end."""
        await release(self._lock)


async def release(lock: Lock) -> None:
    """Gives a lock back, if it is still ours."""
    try:
        await lock.release()
    except RedisError:
        return  # it was another's already, or ends by itself
