"""The relay: takes what is pending in the outbox, in order, to the queues. At least once; consumers are idempotent.

The events of one aggregate go in the order in which they were committed. Their ids grow (see `Outbox.add_event`), and
none can be written before the one in front of it is committed. The outbox is read as of one moment: a plain read may
pass the place of an event that is committed just then, and still meet the next one.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import Counter
from pymongo.read_concern import ReadConcern
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from intervai_shared.messaging import broker, rewind
from intervai_shared.messaging.leader import Leader
from intervai_shared.messaging.rewind import Rewind
from intervai_shared.messaging.wakes import outbox_channel, queues_channel, wake
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.settings import ServiceSettings

#: Longest time that a message waits when its wake-up was lost.
POLL_SECONDS = 1.0
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
        self._outbox = db.outbox
        self._as_of_one_moment = db.get_collection("outbox", read_concern=ReadConcern("snapshot"))
        self._redis = redis
        self._service = settings.service
        self._subscribers = subscribers
        self._rewind = Rewind(redis, db.outbox, settings.service)
        self._leader = Leader(redis, f"{settings.service}:relay-leader", LEADER_SECONDS)
        services = {settings.service, *(name for names in subscribers.values() for name in names)}
        self._brokers: dict[str, RedisBroker] = {name: broker.publisher(settings, name) for name in services}

    async def run(self) -> None:
        """Works until cancelled. Raises what Mongo or Redis raise; call it again then."""
        async with self._redis.pubsub() as wake_ups:
            await wake_ups.subscribe(outbox_channel(self._service))
            try:
                await self._work(wake_ups)
            finally:
                await self._leader.resign()

    async def _work(self, wake_ups: PubSub) -> None:
        looked = 0.0
        while True:
            leads = await self._leader.leads()
            if leads and looked + rewind.LOOK_SECONDS < time.monotonic():
                await self._rewind.look()
                looked = time.monotonic()
            while leads and await self._publish_batch():
                leads = await self._leader.leads()
            await wake_ups.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)

    async def _publish_batch(self) -> bool:
        """Publishes the oldest pending messages; True if there may be more."""
        pending = await self._as_of_one_moment.find({"state": "pending"}).sort("_id", 1).limit(BATCH).to_list()
        if not pending:
            return False
        for target, queue in await asyncio.to_thread(self._enqueue, pending):
            await wake(self._redis, queues_channel(target), queue)
        ids, now = [message["_id"] for message in pending], utc_now()
        await self._rewind.mark(now)
        done = {"$set": {"state": "published", "publishedAt": now}}
        await self._outbox.update_many({"_id": {"$in": ids}}, done)
        return len(pending) == BATCH

    def _enqueue(self, pending: Sequence[Document]) -> set[tuple[str, str]]:
        """The services and queues that have got something."""
        queues = set()
        for stored in pending:
            for target in self._targets(stored):
                queues.add((target, self._brokers[target].enqueue(_message(stored)).queue_name))
            PUBLISHED.labels(stored["kind"], stored["name"]).inc()
        return queues

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
