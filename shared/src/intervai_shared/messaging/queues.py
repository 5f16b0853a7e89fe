"""How many messages of a service are on their way: in the outbox, and in Redis."""

from redis.asyncio import Redis

from intervai_shared.messaging.broker import in_bulk, namespace
from intervai_shared.mongo import Database


class QueueLengths:
    """Of a queue and its bulk twin together. Dramatiq keeps a message in the hash `<namespace>:<queue>.msgs` until it
    is done, and a retry that waits for its time in that of `<queue>.DQ`."""

    def __init__(self, redis: Redis, db: Database, service: str) -> None:
        self._redis = redis
        self._outbox = db.outbox
        self._namespace = namespace(service)

    async def in_outbox(self, queue: str, most: int) -> int:
        """Written, not sent yet; counted up to `most`."""
        unsent = {"state": "pending", "queue": {"$in": [queue, in_bulk(queue)]}}
        return await self._outbox.count_documents(unsent, limit=most)

    async def in_redis(self, queue: str) -> int:
        """Waiting, being worked at, or waiting for a retry. Raises redis.RedisError."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in (queue, in_bulk(queue)):
                pipe.hlen(f"{self._namespace}:{name}.msgs")
                pipe.hlen(f"{self._namespace}:{name}.DQ.msgs")
            return sum(await pipe.execute())
