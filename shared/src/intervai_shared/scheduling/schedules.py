"""What the services want done on schedule. Each worker tells it in Redis again and again; the scheduler reads it there,
so it knows no service, and sends nothing to one whose workers are gone."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

#: Where a tick goes: this actor on this queue of the service.
ACTOR, QUEUE = "run_scheduled", "scheduled"
KEY = "scheduler:schedules"
#: Seconds between two times that a worker tells, and after which what it told is forgotten.
TELL_SECONDS, FORGET_SECONDS = 30.0, 120.0


@dataclass(frozen=True)
class Schedule:
    """`cron` has the five usual fields, or six with the seconds first; in UTC."""

    service: str
    name: str
    cron: str

    @property
    def id(self) -> str:
        return f"{self.service}:{self.name}"


class ScheduleBook:
    """The schedules of all services, in Redis. Raises redis.RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def tell(self, service: str, crons: Mapping[str, str]) -> None:
        """A service's schedules, by name."""
        entry = {"toldAt": time.time(), "crons": dict(crons)}
        await self._redis.hset(KEY, service, orjson.dumps(entry))

    async def read(self) -> set[Schedule]:
        """The schedules of the services that have workers now."""
        told: Mapping[Any, Any] = await self._redis.hgetall(KEY)
        entries = {service.decode(): orjson.loads(entry) for service, entry in told.items()}
        return {
            Schedule(service, name, cron)
            for service, entry in entries.items()
            if entry["toldAt"] > time.time() - FORGET_SECONDS
            for name, cron in entry["crons"].items()
        }
