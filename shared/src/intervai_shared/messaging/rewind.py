"""Notices that Redis has lost messages, all of them or the last ones, and has them sent again from the outbox.

A Redis that was set up anew has nothing; one that took over from a dead master may lack what that had not passed on.
The relay leaves a mark in Redis behind each batch: the time that the outbox notes for it. Commands reach a replica in
order, so a Redis with the mark has the batch. When the outbox knows of a later time than the mark, what was sent after
the mark is missing, and becomes pending again. Consumers do everything once, so what was not missing does no harm.
"""

from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter
from redis.asyncio import Redis

from intervai_shared.logs import log
from intervai_shared.messaging.broker import AGE_LIMIT_MS, namespace
from intervai_shared.models import utc_now
from intervai_shared.mongo import Collection

#: Seconds between two looks.
LOOK_SECONDS = 5.0
#: How far back messages are sent again when no mark is left: as long as a queue keeps one.
OLDEST = timedelta(milliseconds=AGE_LIMIT_MS)
SENT_AGAIN = Counter("intervai_outbox_sent_again_total", "Messages that Redis had lost")


class Rewind:
    """The mark of one service's relay. In the slot of the service's queues, where Redis is a Cluster."""

    def __init__(self, redis: Redis, outbox: Collection, service: str) -> None:
        self._redis = redis
        self._outbox = outbox
        self._key = f"{namespace(service)}:relay-mark"

    async def mark(self, time: datetime) -> None:
        """To be set between the sending of a batch and its note in the outbox. Raises redis.RedisError."""
        await self._redis.set(self._key, time.isoformat())

    async def look(self) -> None:
        """Makes what is missing pending again. Raises redis.RedisError, PyMongoError."""
        newest = await self._outbox.find_one({"publishedAt": {"$gt": utc_now() - OLDEST}}, sort=[("publishedAt", -1)])
        if newest is None:
            return
        stored: Any = await self._redis.get(self._key)
        mark = datetime.fromisoformat(stored.decode()) if stored else utc_now() - OLDEST
        if newest["publishedAt"] <= mark:
            return
        lost = {"state": "published", "publishedAt": {"$gt": mark}}
        changed = await self._outbox.update_many(lost, {"$set": {"state": "pending"}, "$unset": {"publishedAt": ""}})
        SENT_AGAIN.inc(changed.modified_count)
        log.warning("redis lost messages, they are sent again", count=changed.modified_count, since=mark.isoformat())
