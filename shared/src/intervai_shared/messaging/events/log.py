"""The event log of a service: every event that it has ever written, in the collection `events`."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import PyMongoError

from intervai_shared.logs import log
from intervai_shared.messaging.events.catalogue import Catalogue, wire
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.tasks import is_to_end, keep_running

#: An event gets its id when it is written and is seen when its transaction is committed: what is so recent is looked
#: through again. A transaction of MongoDB lives 60 s at most, ours a few.
WINDOW = timedelta(seconds=90)
#: Seconds between two looks when no change stream says that there is something new.
POLL_SECONDS = 0.5
#: For which the server holds a look of the change stream open: well within the time that an operation may take.
AWAIT_MS = 500


@dataclass(frozen=True)
class Wanted:
    """Which events: of these types, of one aggregate, from a time on; all of them by default."""

    types: Sequence[str] = ()
    aggregate: ObjectId | None = None
    since: datetime | None = None

    def query(self) -> Document:
        where: Document = {}
        if self.types:
            where["type"] = {"$in": list(self.types)}
        if self.aggregate:
            where["aggregateId"] = self.aggregate
        if self.since:
            where |= {"_id": {"$gte": ObjectId.from_datetime(self.since)}, "occurredAt": {"$gte": self.since}}
        return where


class EventLog:
    """Reads the log; gives events as `catalogue.wire` makes them, at their latest version.

    Every method raises UnknownVersionError when it comes to an event that is newer than the catalogue.
    """

    def __init__(self, db: Database, events: Catalogue) -> None:
        self._events = db.events
        self._catalogue = events

    async def read(self, wanted: Wanted, newest: int | None = None) -> AsyncIterator[Document]:
        """The events, the oldest first; `newest`: only the last so many."""
        async for stored in self._stored(wanted, newest):
            yield self._shown(stored)

    async def follow(self, wanted: Wanted, newest: int | None = None) -> AsyncIterator[Document]:
        """What `read` gives, then each new event, once, until the caller stops. Goes on after an outage of Mongo."""
        looked = utc_now()
        seen = set(await self._ids_since(looked, wanted))
        async for stored in self._stored(wanted, newest):
            seen.add(stored["_id"])
            yield self._shown(stored)
        async with self._wake_ups() as wake_up:
            while True:
                if is_to_end():
                    raise asyncio.CancelledError
                with _outages_logged():
                    now = utc_now()
                    recent = await self._ids_since(looked, wanted)
                    async for stored in self._events.find({"_id": {"$in": list(recent - seen)}}).sort("_id", ASCENDING):
                        seen.add(stored["_id"])
                        yield self._shown(stored)
                    seen, looked = recent, now
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await wake_up.wait()
                wake_up.clear()

    async def _stored(self, wanted: Wanted, newest: int | None) -> AsyncIterator[Document]:
        if newest == 0:
            return
        if newest is None:
            async for stored in self._events.find(wanted.query()).sort("_id", ASCENDING):
                yield stored
            return
        last = await self._events.find(wanted.query()).sort("_id", DESCENDING).limit(newest).to_list()
        for stored in reversed(last):
            yield stored

    async def _ids_since(self, looked: datetime, wanted: Wanted) -> set[ObjectId]:
        """Of all that may have been committed since a look at this time."""
        where = {"$and": [wanted.query(), {"_id": {"$gte": ObjectId.from_datetime(looked - WINDOW)}}]}
        return {stored["_id"] async for stored in self._events.find(where, {"_id": True})}

    def _shown(self, stored: Document) -> Document:
        return self._catalogue.latest(wire(stored))

    @asynccontextmanager
    async def _wake_ups(self) -> AsyncIterator[asyncio.Event]:
        """Set when there is something new, as far as a change stream can say so."""
        wake_up = asyncio.Event()

        async def listen() -> None:
            inserts: list[Document] = [{"$match": {"operationType": "insert"}}, {"$project": {"_id": True}}]
            async with await self._events.watch(inserts, max_await_time_ms=AWAIT_MS) as changes:
                while changes.alive:  # to iterate would fail once nothing has come for `MONGO_TIMEOUT_MS`
                    if await changes.try_next():
                        wake_up.set()

        async with keep_running("change stream of the event log", listen):
            yield wake_up


@contextmanager
def _outages_logged() -> Iterator[None]:
    """Lets the caller try again, unless it is to end: Mongo's driver may make an error of its own of a cancellation."""
    try:
        yield
    except PyMongoError as error:
        if is_to_end():
            raise asyncio.CancelledError from error
        log.warning("the event log cannot be read now", error=repr(error))
