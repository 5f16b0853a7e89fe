"""Replay: a projection is built anew from the log while it is fed, and nothing is lost or doubled."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import IndexModel
from pymongo.errors import BulkWriteError

from intervai_shared.messaging.events import replay as module
from intervai_shared.messaging.events.catalogue import UnknownVersionError, wire
from intervai_shared.messaging.events.projections import Projection, View, current
from intervai_shared.messaging.events.replay import Replay, ReplayError
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session

Call = Callable[..., Awaitable[Any]]


async def add_size(event: Document, view: View, session: Session) -> None:
    """Not idempotent by itself: what is applied twice shows, and so does what is not applied."""
    of_thing = {"_id": event["aggregateId"]}
    await view["totals"].update_one(of_thing, {"$inc": {"size": event["data"]["size"]}}, upsert=True, session=session)


TOTALS = Projection("totals", {"totals": [IndexModel("size")]}, {"thing.made": add_size})


class Reader:
    """What a service does with the projection: feeds it, reads it."""

    def __init__(self, mongo: Mongo, outbox: Outbox, things: Any) -> None:
        self.mongo = mongo
        self._things = things
        self._inbox = Inbox(mongo.db, outbox, {}, things.catalogue, [TOTALS])

    async def feed(self, *things: ObjectId) -> None:
        """Applies the events of the things, as the queue brings them."""
        async for event in self.mongo.db.events.find({"aggregateId": {"$in": things}}):
            await self._inbox.apply(wire(event))

    async def total(self) -> int:
        view = await current(self.mongo.db, TOTALS)
        return sum([thing["size"] async for thing in view["totals"].find()])

    def replay(self) -> Replay:
        return Replay(self.mongo, self._things.catalogue, TOTALS)

    async def collections(self) -> list[str]:
        return sorted(name for name in await self.mongo.db.list_collection_names() if name.startswith("totals"))

    async def state(self) -> Document:
        return await self.mongo.db.projections.find_one({"_id": "totals"}) or {}


@pytest.fixture
def reader(mongo: Mongo, outbox: Outbox, things: Any) -> Reader:
    return Reader(mongo, outbox, things)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4)


async def test_a_replay_builds_from_the_log_alone_what_had_been_spoilt(reader: Reader, write: Call) -> None:
    await reader.feed(*await write(*range(10)))
    await reader.mongo.db.totals.update_many({}, {"$inc": {"size": 100}})
    replay = reader.replay()
    await replay.run()
    assert (await reader.total(), replay.applied) == (45, 10)
    assert "size_1" in await (await current(reader.mongo.db, TOTALS))["totals"].index_information()


async def test_an_event_that_a_replay_has_applied_before_the_queue_brought_it_is_not_applied_again(
    reader: Reader, write: Call
) -> None:
    things = await write(1, 2)
    await reader.replay().run()
    await reader.feed(*things)
    assert await reader.total() == 3
    await reader.feed(*await write(4))
    assert await reader.total() == 7
    await reader.replay().run()
    assert await reader.total() == 7


async def test_nothing_is_lost_or_doubled_while_new_events_keep_coming(reader: Reader, write: Call) -> None:
    await reader.feed(*await write(*[1] * 20))
    stop = asyncio.Event()
    count = 20

    async def live() -> None:
        nonlocal count
        while not stop.is_set():
            await reader.feed(*await write(1))
            count += 1

    feeding = [asyncio.create_task(live()) for _ in range(3)]
    for _ in range(2):
        await reader.replay().run()
    stop.set()
    await asyncio.gather(*feeding)
    assert count > 20
    assert await reader.total() == count
    view = await current(reader.mongo.db, TOTALS)
    assert await view["totals"].count_documents({}) == count


async def test_who_looked_before_the_new_generation_joined_and_commits_late_loses_nothing(
    reader: Reader, write: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between 1 and 2: the event's worker knows of the old generation alone."""
    replay, switch = reader.replay(), Replay._switch
    late: list[asyncio.Task[None]] = []

    async def event_just_before(self: Replay, change: Document, session: Session | None = None) -> None:
        if change.get("joining"):
            things = await write(8)
            consumers = await reader._inbox._projections.consumers("thing.made")
            assert len(consumers) == 1
            looked = asyncio.Event()

            async def stale(_: str) -> Any:
                looked.set()
                await asyncio.sleep(0.5)  # it goes on when the replay has ended
                return consumers

            monkeypatch.setattr(reader._inbox._projections, "consumers", stale)
            late.append(asyncio.create_task(reader.feed(*things)))
            await looked.wait()
        await switch(self, change, session)

    await reader.feed(*await write(1, 2))
    monkeypatch.setattr(Replay, "_switch", event_just_before)
    await replay.run()
    await late[0]
    assert await reader.total() == 11


async def test_a_replay_that_fails_leaves_the_projection_as_it_was(
    reader: Reader, write: Call, stored_event: Call
) -> None:
    await reader.feed(*await write(1, 2))
    newer = await stored_event("thing.made", 9, {})
    with pytest.raises(UnknownVersionError):
        await reader.replay().run()
    assert await reader.total() == 3
    await reader.mongo.db.events.delete_one({"_id": newer["_id"]})
    await reader.feed(*await write(4))
    await reader.replay().run()
    assert await reader.total() == 7


async def test_two_replays_at_once_do_not_mix(reader: Reader, write: Call) -> None:
    await reader.feed(*await write(*range(10)))
    results = await asyncio.gather(*(reader.replay().run() for _ in range(3)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ReplayError)]
    assert [str(error) for error in refused] == ["another replay of totals runs"] * 2
    assert [result for result in results if result not in refused] == [None]
    assert await reader.total() == 45


async def test_a_replay_that_was_taken_for_dead_writes_nothing_more(
    reader: Reader, write: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reader.feed(*await write(*range(10)))
    paused, second = reader.replay(), reader.replay()
    apply, resumes = paused._apply, asyncio.Event()
    began = asyncio.Event()

    async def pauses(batch: Any, session: Session) -> int:
        began.set()
        await resumes.wait()
        return await apply(batch, session)

    monkeypatch.setattr(paused, "_apply", pauses)
    first = asyncio.create_task(paused.run())
    await began.wait()
    expired = {"$set": {"building.leaseUntil": utc_now() - timedelta(seconds=1)}}
    await reader.mongo.db.projections.update_one({"_id": "totals"}, expired)
    await second.run()
    resumes.set()
    with pytest.raises(ReplayError, match="has taken over"):
        await first
    state = await reader.state()
    assert (state["active"], state["joining"], state["building"]) == (second._view.generation, None, None)
    assert await paused._view["totals"].count_documents({}) == 0
    assert await reader.total() == 45


async def test_the_collections_of_former_generations_are_removed_by_the_next_replay(
    reader: Reader, write: Call
) -> None:
    await reader.feed(*await write(1))
    for _ in range(3):
        before = await reader.state()
        await reader.replay().run()
    state = await reader.state()
    assert await reader.collections() == sorted([f"totals.{before['active']}", f"totals.{state['active']}"])


async def test_a_transaction_that_collides_with_a_worker_is_begun_again(
    reader: Reader, write: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker and replay apply the same events to the new generation at the same time."""
    things = await write(*range(1, 9))
    replay, switch = reader.replay(), Replay._switch

    async def joined(self: Replay, change: Document, session: Session | None = None) -> None:
        await switch(self, change, session)
        if change.get("joining"):
            monkeypatch.setattr(Replay, "_switch", switch)
            more = await write(*range(10, 18))
            feeding.append(asyncio.create_task(reader.feed(*things, *more)))

    feeding: list[asyncio.Task[None]] = []
    monkeypatch.setattr(Replay, "_switch", joined)
    await replay.run()
    await feeding[0]
    assert await reader.total() == sum(range(1, 9)) + sum(range(10, 18))


async def test_an_event_that_a_worker_was_faster_with_begins_the_batch_again(
    reader: Reader, write: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MongoDB answers when the worker has committed."""
    await write(1, 2)
    collection = type(reader.mongo.db.inbox)

    async def taken(*_: Any, **__: Any) -> None:
        monkeypatch.undo()
        raise BulkWriteError({"writeErrors": [{"code": 11000}]})

    monkeypatch.setattr(collection, "insert_many", taken)
    await reader.replay().run()
    assert await reader.total() == 3
