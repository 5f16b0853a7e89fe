"""Transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

A state change and the messages that it causes are written in one Mongo transaction; the relay of the service's worker
publishes them afterwards. So a message is sent if and only if the change was committed.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.exceptions
from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from redis.asyncio import Redis

from intervai_shared import context
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session

#: Seconds that published messages stay for a look.
KEEP_PUBLISHED_SECONDS = 7 * 24 * 3600
EVENT_VERSION = 1

INDEXES = {
    "outbox": [
        IndexModel([("state", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("publishedAt", ASCENDING)], expireAfterSeconds=KEEP_PUBLISHED_SECONDS),
    ],
    "events": [IndexModel([("aggregateId", ASCENDING), ("_id", ASCENDING)])],
}
T = TypeVar("T")


def wake_channel(service: str) -> str:
    """The Redis channel that tells the relay of a service that its outbox has something."""
    return f"{service}:outbox"


class Outbox:
    """Adds messages to a transaction."""

    def __init__(self, mongo: Mongo, redis_client: Redis, service: str) -> None:
        self._mongo = mongo
        self._redis = redis_client
        self._service = service

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Runs `body` in a transaction, then wakes the relay. A wake-up that fails costs only the relay's poll time."""
        result = await self._mongo.transaction(body)
        try:
            await self._redis.publish(wake_channel(self._service), b"")
        except redis.exceptions.RedisError as error:
            log.warning("relay not woken, it will find the message by itself", error=repr(error))
        return result

    async def add_job(self, session: Session, actor: str, queue: str, *args: Any) -> None:
        """A message to an actor of this service's worker; `args` are JSON values. Raises TypeError if they are not."""
        await self._add(session, {"kind": "job", "name": actor, "queue": queue, "args": list(args)})

    async def add_event(self, session: Session, event_type: str, aggregate_id: ObjectId, data: Document) -> None:
        """A domain event: kept for ever in the service's event log, and sent to those who subscribe.

        `data` is JSON. Raises TypeError if it is not.
        """
        event = {
            "_id": ObjectId(),
            "type": event_type,
            "version": EVENT_VERSION,
            "source": self._service,
            "aggregateId": aggregate_id,
            "occurredAt": utc_now(),
            "data": data,
        }
        await self._mongo.db.events.insert_one(event, session=session)
        await self._add(session, {"kind": "event", "name": event_type, "eventId": event["_id"], "args": [wire(event)]})

    async def _add(self, session: Session, message: Document) -> None:
        json.dumps(message["args"])  # raises here, where it is noticed: in the relay it would stop all that comes after
        trace = {"requestId": context.request_id.get(), "traceparent": context.traceparent.get()}
        await self._mongo.db.outbox.insert_one(
            {**message, "trace": trace, "state": "pending", "createdAt": utc_now()}, session=session
        )


def wire(event: Document) -> Document:
    """An event as JSON, as subscribers get it."""
    return {
        "id": str(event["_id"]),
        "type": event["type"],
        "version": event["version"],
        "source": event["source"],
        "aggregateId": str(event["aggregateId"]),
        "occurredAt": event["occurredAt"].isoformat(),
        "data": event["data"],
    }
