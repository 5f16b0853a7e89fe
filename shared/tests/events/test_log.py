"""Reading and following the event log: nothing is left out, nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from bson import ObjectId

from intervai_shared import mongo as mongo_module
from intervai_shared import tasks
from intervai_shared.messaging.events import log as module
from intervai_shared.messaging.events.catalogue import UnknownVersionError
from intervai_shared.messaging.events.log import EventLog, Wanted
from intervai_shared.models import utc_now
from intervai_shared.mongo import Mongo
from intervai_shared.settings import ServiceSettings

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def event_log(mongo: Mongo, things: Any) -> EventLog:
    return EventLog(mongo.db, things.catalogue)


@pytest.fixture
async def follow() -> AsyncIterator[Callable[..., list[int]]]:
    """Follows a log in the background; the sizes that it has shown so far."""
    tasks = []

    def begin(event_log: EventLog, *args: Any) -> list[int]:
        shown: list[int] = []

        async def read() -> None:
            async for event in event_log.follow(*args):
                shown.append(event["data"]["size"])  # noqa: PERF401  one at a time, as they come

        tasks.append(asyncio.create_task(read()))
        return shown

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def shows(shown: list[int], *sizes: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(shown) >= len(sizes)

    return look


async def sizes(event_log: EventLog, wanted: Wanted, newest: int | None = None) -> list[int]:
    return [event["data"].get("size") async for event in event_log.read(wanted, newest)]


async def test_the_log_is_read_in_order_at_the_latest_versions(
    event_log: EventLog, write: Call, stored_event: Call
) -> None:
    await write(1, 2)
    await stored_event("thing.broken", 1, {"how": "a little"})
    read = [event async for event in event_log.read(Wanted())]
    assert [event["data"] for event in read] == [{"size": 1}, {"size": 2}, {"parts": 1}]
    assert [event["sequence"] for event in read] == [1, 1, None]


async def test_the_log_is_read_by_type_by_aggregate_by_time_and_from_its_end(
    event_log: EventLog, write: Call, stored_event: Call
) -> None:
    early = utc_now() - timedelta(days=3)
    await stored_event("thing.made", 1, {"size": 0}, _id=ObjectId.from_datetime(early), occurredAt=early)
    [thing, *_] = await write(1, 2, 3)
    await stored_event("thing.broken", 3, {"parts": 1})
    assert await sizes(event_log, Wanted(types=["thing.made"])) == [0, 1, 2, 3]
    assert await sizes(event_log, Wanted(aggregate=thing)) == [1]
    assert await sizes(event_log, Wanted(types=["thing.made"], since=early + timedelta(days=1))) == [1, 2, 3]
    assert await sizes(event_log, Wanted(types=["thing.made"]), 2) == [2, 3]
    assert await sizes(event_log, Wanted(), 0) == []


async def test_an_event_that_is_newer_than_the_catalogue_is_not_misread(
    event_log: EventLog, stored_event: Call
) -> None:
    await stored_event("thing.made", 2, {"size": "large"})
    with pytest.raises(UnknownVersionError):
        await sizes(event_log, Wanted())


async def test_following_shows_what_was_there_and_what_comes(
    event_log: EventLog, write: Call, follow: Any, eventually: Call
) -> None:
    await write(1, 2)
    shown = follow(event_log, Wanted(types=["thing.made"]))
    await eventually(shows(shown, 1, 2))
    await write(3)
    await eventually(shows(shown, 1, 2, 3))
    await write(4, 5)
    await eventually(shows(shown, 1, 2, 3, 4, 5))
    await asyncio.sleep(3 * module.POLL_SECONDS)  # nothing comes again
    assert shown == [1, 2, 3, 4, 5]


async def test_following_may_begin_at_the_end(event_log: EventLog, write: Call, follow: Any, eventually: Call) -> None:
    await write(1, 2, 3)
    newest, none = follow(event_log, Wanted(), 1), follow(event_log, Wanted(), 0)
    await eventually(shows(newest, 3))
    await asyncio.sleep(2 * module.POLL_SECONDS)
    await write(4)
    await eventually(shows(none, 4))
    await eventually(shows(newest, 3, 4))
    assert (newest, none) == ([3, 4], [4])


async def test_following_shows_an_event_that_is_committed_after_younger_ones(
    event_log: EventLog, write: Call, follow: Any, eventually: Call
) -> None:
    shown = follow(event_log, Wanted())
    slow = asyncio.create_task(write(1, seconds=1))
    await asyncio.sleep(0.2)
    await write(2)
    await eventually(shows(shown, 2))
    assert shown == [2]
    await slow
    await eventually(shows(shown, 2, 1))
    await asyncio.sleep(2 * module.POLL_SECONDS)
    assert shown == [2, 1]


async def test_following_goes_on_after_an_outage_without_loss_and_without_repetition(
    settings: ServiceSettings, mongo_wire: Any, things: Any, write: Call, follow: Any, eventually: Call
) -> None:
    far = settings.model_copy(
        update={"mongo_uri": type(settings.mongo_uri)(f"mongodb://127.0.0.1:{mongo_wire.port}/?directConnection=true"),
                "mongo_read_uri": None, "mongo_timeout_ms": 1000}
    )  # fmt: skip
    connected = mongo_module.connect(far)
    shown = follow(EventLog(connected.db, things.catalogue), Wanted())
    await write(1)
    await eventually(shows(shown, 1))
    await mongo_wire.cut()
    await write(2, 3)
    await asyncio.sleep(0.5)
    await mongo_wire.mend()
    await write(4)
    await eventually(shows(shown, 1, 2, 3, 4))
    await asyncio.sleep(2 * module.POLL_SECONDS)
    assert shown == [1, 2, 3, 4]
    await connected.close()


async def test_following_a_log_in_which_nothing_happens_is_no_failure(
    settings: ServiceSettings,
    things: Any,
    write: Call,
    follow: Any,
    eventually: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = Mock()  # structlog's own capturing misses a logger that has been used before
    for place in (module, tasks):
        monkeypatch.setattr(place, "log", said)
    connected = mongo_module.connect(settings.model_copy(update={"mongo_timeout_ms": 2000}))
    shown = follow(EventLog(connected.db, things.catalogue), Wanted())
    await asyncio.sleep(3)
    await write(1)
    await eventually(shows(shown, 1))
    assert said.mock_calls == []
    await connected.close()


async def test_following_ends_though_the_driver_has_swallowed_the_cancellation(
    event_log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looks = asyncio.Event(), list[int]()

    async def swallows(*_: object) -> set[ObjectId]:
        looks.append(1)
        if len(looks) == 2:  # the first is made before it waits for events
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return set()

    async def follow() -> None:
        async for _ in event_log.follow(Wanted()):
            pass

    monkeypatch.setattr(event_log, "_ids_since", swallows)
    following = asyncio.create_task(follow())
    await asked.wait()
    following.cancel()
    await asyncio.wait({following}, timeout=5 * module.POLL_SECONDS)
    assert following.cancelled()
    assert len(looks) == 2
