"""Replay: builds a projection anew from the event log, while new events keep coming.

1. A new generation is built from the log, in its order. The old one is read and fed as before.
2. From then on new events are applied to both (the new one is `joining`).
3. The log is read once more, and what the new generation lacks is applied.
4. The new generation is read and fed alone; the old one stays until the next replay.

Nothing is lost: an event is in the log before it is in a queue. A worker that looked before 2 and applies an event to
the old generation alone, however late it commits, has an event that was in the log before 2, so 3 finds it. What is
written to the log after that comes to a worker that looks after 2. No clock is in this argument, and no waiting time.

Nothing is doubled: whoever applies an event to a generation records it, in the same transaction, under the event's id
and the generation; of two who try, one comes too late.

Two replays do not mix: each has collections of its own, and renews, in each of its transactions, its lease in the
document of the projection: whoever has lost it has its transactions refused. A replay that dies leaves the old
generation as it is, and its own collections to the next replay, which removes them.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from bson import ObjectId
from pymongo.errors import BulkWriteError, PyMongoError

from intervai_shared.logs import log
from intervai_shared.messaging.events.catalogue import Catalogue, wire
from intervai_shared.messaging.events.projections import FIRST, Projection, View
from intervai_shared.messaging.inbox import inbox_entry, inbox_key
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session, ensure_indexes, to_be_retried

#: Events in one transaction.
BATCH = 100
#: Seconds after which a replay that shows no sign of life may be replaced.
LEASE_SECONDS = 30.0


class ReplayError(Exception):
    """Another replay of the projection runs, or has taken over."""


class Replay:
    """One replay of one projection. `applied` counts the events in it so far."""

    def __init__(self, mongo: Mongo, events: Catalogue, projection: Projection) -> None:
        self._mongo = mongo
        self._db = mongo.db
        self._events = events
        self._projection = projection
        self._view = View(mongo.db, str(ObjectId()))
        self.applied = 0

    async def run(self) -> None:
        """Builds a generation and puts it in the place of the old one.

        Raises:
            ReplayError: another replay of the projection runs, or has taken over; the projection is as it was.
            UnknownVersionError: the log has events that are newer than this code; likewise.
        """
        await self._claim()
        try:
            await self._remove_others()
            indexes = {self._view[name].name: models for name, models in self._projection.indexes.items()}
            await ensure_indexes(self._db, indexes)
            await self._apply_what_is_missing()
            await self._switch({"joining": self._view.generation})
            await self._apply_what_is_missing()
            await self._switch({"active": self._view.generation, "joining": None, "building": None})
        except BaseException:
            await self._give_up()
            raise

    async def _claim(self) -> None:
        """Only one replay at a time holds the lease."""
        states, name, now = self._db.projections, self._projection.name, utc_now()
        first = {"active": FIRST, "joining": None, "building": None}
        await states.update_one({"_id": name}, {"$setOnInsert": first}, upsert=True)
        free = [{"building": None}, {"building.leaseUntil": {"$lt": now}}]
        taken = {"joining": None, "building": self._lease()}
        if not (await states.update_one({"_id": name, "$or": free}, {"$set": taken})).modified_count:
            raise ReplayError(f"another replay of {name} runs")

    def _lease(self) -> Document:
        return {"generation": self._view.generation, "leaseUntil": utc_now() + timedelta(seconds=LEASE_SECONDS)}

    async def _switch(self, change: Document, session: Session | None = None) -> None:
        mine = {"_id": self._projection.name, "building.generation": self._view.generation}
        changed = await self._db.projections.update_one(mine, {"$set": change}, session=session)
        if not changed.matched_count:
            raise ReplayError(f"another replay of {self._projection.name} has taken over")

    async def _apply_what_is_missing(self) -> None:
        """Reads the whole log as far as it goes now, since a transaction that commits late puts its event among older
        ones. What is committed at this moment is before the end, and the rest need not be run after."""
        newest = await self._db.events.find_one({}, {"_id": True}, sort=[("_id", -1)])
        if newest is None:
            return
        wanted: Document = {"type": {"$in": sorted(self._projection.handlers)}, "_id": {"$lte": newest["_id"]}}
        while batch := await self._db.events.find(wanted).sort("_id", 1).limit(BATCH).to_list():
            self.applied += await self._mongo.transaction(partial(self._apply, batch))
            wanted["_id"] = {"$gt": batch[-1]["_id"], "$lte": newest["_id"]}

    async def _apply(self, batch: Sequence[Document], session: Session) -> int:
        await self._switch({"building": self._lease()}, session)
        keys = {self._inbox_key(stored): stored for stored in batch}
        known = self._db.inbox.find({"_id": {"$in": list(keys)}}, {"_id": 1}, session=session)
        there = {entry["_id"] async for entry in known}
        missing = {key: stored for key, stored in keys.items() if key not in there}
        for stored in missing.values():
            event = self._events.latest(wire(stored))
            await self._projection.handlers[event["type"]](event, self._view, session)
        if missing:
            await self._record(missing, session)
        return len(missing)

    async def _record(self, applied: Mapping[str, Document], session: Session) -> None:
        entries = [inbox_entry(key, stored["type"]) for key, stored in applied.items()]
        try:
            await self._db.inbox.insert_many(entries, session=session)
        except BulkWriteError as error:  # a worker was faster with one of them
            raise to_be_retried(error) from error

    def _inbox_key(self, stored: Document) -> str:
        return inbox_key(str(stored["_id"]), self._projection.key(self._view.generation))

    async def _give_up(self) -> None:
        """Leaves the lease to the next replay, unless another has it already."""
        with suppress(ReplayError, PyMongoError):
            await self._switch({"joining": None, "building": None})

    async def _remove_others(self) -> None:
        """The collections of former generations. First the list, then who needs what: so a replay that has taken over
        meanwhile is either not in the list yet, or known."""
        there = await self._db.list_collection_names()
        state = await self._db.projections.find_one({"_id": self._projection.name}) or {}
        needed = [state["active"], (state["building"] or {}).get("generation"), self._view.generation]
        kept = {View(self._db, g)[n].name for n in self._projection.indexes for g in needed if g is not None}
        for collection in there:
            if collection.partition(".")[0] in self._projection.indexes and collection not in kept:
                await self._db.drop_collection(collection)
                log.info("old generation removed", collection=collection)
