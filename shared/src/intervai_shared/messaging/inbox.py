"""Inbox (idempotent consumer, https://microservices.io/patterns/communication-style/idempotent-consumer.html)."""

from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

#: Seconds for which an applied event is remembered: far longer than a queue keeps one.
KEEP_SECONDS = 30 * 24 * 3600
INDEXES = {"inbox": [IndexModel([("appliedAt", ASCENDING)], expireAfterSeconds=KEEP_SECONDS)]}
APPLIED = Counter("intervai_events_applied_total", "Events taken from the queue", ["type", "result"])

#: Applies an event within the transaction of the session; it gets the event as `outbox.wire` made it.
EventHandler = Callable[[Document, Session], Awaitable[None]]


class _AlreadyAppliedError(Exception):
    """The event is in the inbox."""


class Inbox:
    """Applies each event once: its id is recorded in the same transaction as its effect."""

    def __init__(self, db: Database, outbox: Outbox, handlers: Mapping[str, EventHandler]) -> None:
        self._db = db
        self._outbox = outbox
        self._handlers = handlers

    async def apply(self, event: Document) -> None:
        """Applies an event; a known id, and a type without handler, are no-ops."""
        handler = self._handlers.get(event["type"])
        if handler is None:
            log.warning("event without handler", eventType=event["type"])
            return

        async def effect(session: Session) -> None:
            await self._record(event, session)
            await handler(event, session)

        try:
            await self._outbox.transaction(effect)
            APPLIED.labels(event["type"], "applied").inc()
        except _AlreadyAppliedError:
            APPLIED.labels(event["type"], "duplicate").inc()

    async def _record(self, event: Document, session: Session) -> None:
        entry = {"_id": event["id"], "type": event["type"], "appliedAt": utc_now()}
        try:
            await self._db.inbox.insert_one(entry, session=session)
        except DuplicateKeyError as error:
            raise _AlreadyAppliedError from error
