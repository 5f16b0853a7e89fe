"""Inbox (idempotent consumer, https://microservices.io/patterns/communication-style/idempotent-consumer.html)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.logs import log
from intervai_shared.messaging.events.catalogue import Catalogue
from intervai_shared.messaging.events.projections import Projection, Projections
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from intervai_shared.privacy import tombstones

#: Seconds for which an applied event is remembered: far longer than a queue keeps one.
KEEP_SECONDS = 30 * 24 * 3600
INDEXES = {"inbox": [IndexModel([("appliedAt", ASCENDING)], expireAfterSeconds=KEEP_SECONDS)]}
APPLIED = Counter("intervai_events_applied_total", "Events taken from the queue", ["type", "result"])

#: Applies an event within the transaction of the session; it gets the event as `catalogue.wire` made it, at the latest
#: version.
EventHandler = Callable[[Document, Session], Awaitable[None]]


class _AlreadyAppliedError(Exception):
    """The event is in the inbox."""


class Inbox:
    """Applies each event once by its handler, and once to each of its projections: that it was is recorded in the same
    transaction as the effect."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        handlers: Mapping[str, EventHandler],
        events: Catalogue | None = None,
        projections: Sequence[Projection] = (),
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._handlers = handlers
        self._events = events or Catalogue()
        self._projections = Projections(db, projections)

    async def apply(self, event: Document) -> None:
        """Applies an event; a known id, and a type that nobody wants, are no-ops.

        Raises:
            UnknownVersionError: its version is newer than what the service's catalogue knows.
        """
        handler = self._handlers.get(event["type"])
        consumers = [(event["id"], handler)] if handler else []
        projecting = await self._projections.consumers(event["type"])
        consumers += [(inbox_key(event["id"], key), project) for key, project in projecting]
        if not consumers:
            log.warning("event without handler", eventType=event["type"])
            return
        latest = self._events.latest(event)
        for key, consumer in consumers:
            await self._once(key, latest, consumer)

    async def _once(self, key: str, event: Document, handler: EventHandler) -> None:
        async def effect(session: Session) -> None:
            await self._record(key, event["type"], session)
            if not await self._is_of_an_erased_person(event, session):
                await handler(event, session)

        try:
            await self._outbox.transaction(effect)
            APPLIED.labels(event["type"], "applied").inc()
        except _AlreadyAppliedError:
            APPLIED.labels(event["type"], "duplicate").inc()

    async def _is_of_an_erased_person(self, event: Document, session: Session) -> bool:
        """What arrives after its person has been erased brings nothing of them back."""
        person = tombstones.person_of(event)
        return person is not None and await tombstones.is_erased(self._db, person, session)

    async def _record(self, key: str, event_type: str, session: Session) -> None:
        try:
            await self._db.inbox.insert_one(inbox_entry(key, event_type), session=session)
        except DuplicateKeyError as error:
            raise _AlreadyAppliedError from error


def inbox_key(event_id: str, consumer: str) -> str:
    """What the inbox knows an event by that one of several consumers has applied."""
    return f"{event_id} {consumer}"


def inbox_entry(key: str, event_type: str) -> Document:
    """What the inbox keeps of an event."""
    return {"_id": key, "type": event_type, "appliedAt": utc_now()}
