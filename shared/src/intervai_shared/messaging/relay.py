"""The relay: takes what is pending in the outbox, in order, to the queues. At least once; consumers are idempotent."""

import asyncio
from collections.abc import Mapping, Sequence

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from intervai_shared.messaging import broker
from intervai_shared.messaging.outbox import wake_channel
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.settings import ServiceSettings

#: Longest time that a message waits when its wake-up was lost.
POLL_SECONDS = 0.5
#: One relay of a service works at a time, so that order holds; when it dies another takes over after this.
LEADER_SECONDS = 5.0
BATCH = 100
EVENT_ACTOR = "apply_event"
EVENT_QUEUE = "events"
PUBLISHED = Counter("intervai_outbox_published_total", "Messages taken from the outbox to a queue", ["kind", "name"])


class Relay:
    """`subscribers` names, for each event type, the services whose queue gets it."""

    def __init__(
        self, settings: ServiceSettings, db: Database, redis: Redis, subscribers: Mapping[str, Sequence[str]]
    ) -> None:
        self._db = db
        self._redis = redis
        self._service = settings.service
        self._subscribers = subscribers
        self._lock = redis.lock(f"{settings.service}:relay-leader", timeout=LEADER_SECONDS)
        services = {settings.service, *(name for names in subscribers.values() for name in names)}
        self._brokers: dict[str, RedisBroker] = {name: broker.publisher(settings, name) for name in services}

    async def run(self) -> None:
        """Works until cancelled. Raises what Mongo or Redis raise; call it again then."""
        async with self._redis.pubsub() as wake_ups:
            await wake_ups.subscribe(wake_channel(self._service))
            try:
                await self._work(wake_ups)
            finally:
                await self._resign()

    async def _work(self, wake_ups: PubSub) -> None:
        while True:
            while await self._leads() and await self._publish_batch():
                pass
            await wake_ups.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)

    async def _leads(self) -> bool:
        if await self._lock.owned():
            return bool(await self._lock.extend(LEADER_SECONDS, replace_ttl=True))
        return bool(await self._lock.acquire(blocking=False))

    async def _resign(self) -> None:
        try:
            await self._lock.release()
        except RedisError:
            return  # it was another's already, or ends by itself

    async def _publish_batch(self) -> bool:
        """Publishes the oldest pending messages; True if there may be more."""
        pending = await self._db.outbox.find({"state": "pending"}).sort("_id", 1).limit(BATCH).to_list()
        if not pending:
            return False
        await asyncio.to_thread(self._enqueue, pending)
        ids = [message["_id"] for message in pending]
        done = {"$set": {"state": "published", "publishedAt": utc_now()}}
        await self._db.outbox.update_many({"_id": {"$in": ids}}, done)
        return len(pending) == BATCH

    def _enqueue(self, pending: Sequence[Document]) -> None:
        for stored in pending:
            for target in self._targets(stored):
                self._brokers[target].enqueue(_message(stored))
            PUBLISHED.labels(stored["kind"], stored["name"]).inc()

    def _targets(self, stored: Document) -> Sequence[str]:
        return [self._service] if stored["kind"] == "job" else self._subscribers.get(stored["name"], ())


def _message(stored: Document) -> Message[None]:
    is_job = stored["kind"] == "job"
    return Message(
        queue_name=stored["queue"] if is_job else EVENT_QUEUE,
        actor_name=stored["name"] if is_job else EVENT_ACTOR,
        args=tuple(stored["args"]),
        kwargs={},
        options={"trace": stored["trace"]},
        message_id=str(stored["_id"]),
    )
