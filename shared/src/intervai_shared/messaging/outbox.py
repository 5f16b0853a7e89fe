"""Transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

A state change and the messages that it causes are written in one Mongo transaction; the relay of the service's worker
publishes them afterwards. So a message is sent if and only if the change was committed.
"""

import json
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError
from redis.asyncio import Redis

from intervai_shared import context
from intervai_shared.messaging.broker import in_bulk
from intervai_shared.messaging.events.catalogue import Event, wire
from intervai_shared.messaging.wakes import outbox_channel, wake
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session, to_be_retried

#: Seconds that published messages stay for a look.
KEEP_PUBLISHED_SECONDS = 7 * 24 * 3600

INDEXES = {
    "outbox": [
        IndexModel([("state", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("publishedAt", ASCENDING)], expireAfterSeconds=KEEP_PUBLISHED_SECONDS),
    ],
    "events": [
        IndexModel([("aggregateId", ASCENDING), ("_id", ASCENDING)]),
        # Partial, since events from before there were sequence numbers have none.
        IndexModel(
            [("aggregateId", ASCENDING), ("sequence", ASCENDING)],
            unique=True,
            partialFilterExpression={"sequence": {"$gt": 0}},
        ),
        # For the erasure of a person.
        IndexModel([("data.user", ASCENDING)]),
        # For the Kafka sink, and here before it is switched on: the embedded Mongo engine forgets documents whose
        # transaction is open while an index is built.
        IndexModel([("kafkaAt", ASCENDING), ("_id", ASCENDING)]),
    ],
}
T = TypeVar("T")


class Outbox:
    """Adds messages to a transaction."""

    def __init__(self, mongo: Mongo, redis_client: Redis, service: str) -> None:
        self._mongo = mongo
        self._redis = redis_client
        self._service = service

    async def transaction(self, body: Callable[[Session], Awaitable[T]], patience: float = 1) -> T:
        """Runs `body` in a transaction, then wakes the relay. A wake-up that fails costs only the relay's poll time.
        `patience`: for one of thousands of documents, see `Mongo.transaction`."""
        result = await self._mongo.transaction(body, patience)
        await wake(self._redis, outbox_channel(self._service))
        return result

    async def add_job(self, session: Session, actor: str, queue: str, *args: Any, bulk: bool = False) -> None:
        """A message to an actor of this service's worker; `args` are JSON values. Raises TypeError if they are not.

        `bulk`: it may wait for those that are not; the actor must have been declared with a bulk queue.
        """
        if bulk:
            actor, queue = in_bulk(actor), in_bulk(queue)
        await self._add(session, {"kind": "job", "name": actor, "queue": queue, "args": list(args)})

    async def add_event(self, session: Session, aggregate_id: ObjectId, event: Event) -> None:
        """A domain event: kept for ever in the service's event log, and sent to those who subscribe.

        The events of one aggregate are numbered without gaps, and their ids grow in the same order, whichever process
        writes them: whoever writes the next one has read the last one, and of two who read the same the second begins
        its transaction again.
        """
        event_id, sequence = await self._next(session, aggregate_id)
        stored = self._stored(event_id, sequence, aggregate_id, event)
        try:
            await self._mongo.db.events.insert_one(stored, session=session)
        except DuplicateKeyError as error:
            if _is_taken(error.details or {}):
                raise to_be_retried(error) from error
            raise
        await self._add(session, _message_of(stored))

    async def add_events(self, session: Session, events: Sequence[tuple[ObjectId, Event]]) -> None:
        """What `add_event` does, for the events of several aggregates in three round trips, however many there are.

        Raises ValueError when one aggregate has several: their order would be lost.
        """
        ids = [aggregate_id for aggregate_id, _ in events]
        if len(set(ids)) < len(ids):
            raise ValueError("one event of each aggregate at a time")
        if not events:
            return
        last = await self._last_of(session, ids)
        stored = [self._stored(*_following(last.get(each)), each, event) for each, event in events]
        try:
            await self._mongo.db.events.insert_many(stored, session=session)
        except BulkWriteError as error:
            if all(_is_taken(each) for each in error.details["writeErrors"]):
                raise to_be_retried(error) from error
            raise
        await self._add(session, *map(_message_of, stored))

    def _stored(self, event_id: ObjectId, sequence: int, aggregate_id: ObjectId, event: Event) -> Document:
        return {
            "_id": event_id,
            "type": event.TYPE,
            "version": event.VERSION,
            "source": self._service,
            "aggregate": event.AGGREGATE,
            "aggregateId": aggregate_id,
            "sequence": sequence,
            "occurredAt": utc_now(),
            "data": event.model_dump(mode="json", by_alias=True),
            "trace": _trace(),
        }

    async def _last_of(self, session: Session, aggregate_ids: list[ObjectId]) -> dict[ObjectId, Document]:
        """`{_id, sequence}` of the last event of each aggregate: both grow from one event to the next."""
        newest = {"_id": "$aggregateId", "last": {"$max": "$_id"}, "sequence": {"$max": "$sequence"}}
        pipeline: list[Document] = [{"$match": {"aggregateId": {"$in": aggregate_ids}}}, {"$group": newest}]
        found = await (await self._mongo.db.events.aggregate(pipeline, session=session)).to_list()
        return {each["_id"]: {"_id": each["last"], "sequence": each["sequence"] or 0} for each in found}

    async def _next(self, session: Session, aggregate_id: ObjectId) -> tuple[ObjectId, int]:
        """The id and the number of the aggregate's next event."""
        of_it, newest = {"aggregateId": aggregate_id}, [("_id", DESCENDING)]
        last = await self._mongo.db.events.find_one(of_it, {"sequence": True}, sort=newest, session=session)
        return _following(last)

    async def _add(self, session: Session, *messages: Document) -> None:
        for message in messages:
            json.dumps(message["args"])  # raises here, where it is noticed: in the relay it would stop all after it
        now = {"trace": _trace(), "state": "pending", "createdAt": utc_now()}
        await self._mongo.db.outbox.insert_many([{**message, **now} for message in messages], session=session)


def _following(last: Document | None) -> tuple[ObjectId, int]:
    """The id and the number of the event after an aggregate's last one."""
    return (_id_after(last["_id"]), last.get("sequence", 0) + 1) if last else (ObjectId(), 1)


def _message_of(stored: Document) -> Document:
    event_id, name = stored["_id"], stored["type"]
    return {"_id": event_id, "kind": "event", "name": name, "eventId": event_id, "args": [wire(stored)]}


def _is_taken(details: Mapping[str, Any]) -> bool:
    """Whether another has the number or the id: then there is a next one."""
    pattern = details.get("keyPattern") or {}
    return not pattern or "sequence" in pattern or "_id" in pattern


def _trace() -> Document:
    return {"requestId": context.request_id.get(), "traceparent": context.traceparent.get()}


def _id_after(last: ObjectId) -> ObjectId:
    """A new id that is greater than another process's: an ObjectId begins with its second, and is random within it."""
    new = ObjectId()
    if new > last:
        return new
    second = int.from_bytes(last.binary[:4]) + 1
    return ObjectId(struct.pack(">I", second) + new.binary[4:])
