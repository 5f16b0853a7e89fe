"""What handlers and projections get of an event."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.middleware import AgeLimit, SkipMessage

from intervai_shared.messaging.events.catalogue import UnknownVersionError, wire
from intervai_shared.messaging.events.projections import Projection, View, current
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.relay import EVENT_ACTOR
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings

Call = Callable[..., Awaitable[Any]]


async def count_parts(event: Document, view: View, session: Session) -> None:
    await view["parts"].insert_one({"parts": event["data"]["parts"]}, session=session)


PARTS = Projection("parts", {"parts": []}, {"thing.broken": count_parts})


@pytest.fixture
def inbox(mongo: Mongo, outbox: Outbox, things: Any) -> Inbox:
    async def handler(event: Document, session: Session) -> None:
        await mongo.db.handled.insert_one({"parts": event["data"]["parts"]}, session=session)

    return Inbox(mongo.db, outbox, {"thing.broken": handler}, things.catalogue, [PARTS])


async def parts(mongo: Mongo) -> tuple[list[int], list[int]]:
    """What the handler was told, and what the projection holds."""
    view = await current(mongo.db, PARTS)
    handled = [found["parts"] async for found in mongo.db.handled.find()]
    return handled, [found["parts"] async for found in view["parts"].find()]


async def test_handler_and_projection_get_the_latest_version_once_each(
    inbox: Inbox, stored_event: Call, mongo: Mongo
) -> None:
    event = wire(await stored_event("thing.broken", 1, {"how": "badly"}))
    for _ in range(2):
        await inbox.apply(event)
    assert await parts(mongo) == ([10], [10])


async def test_an_event_that_is_newer_is_refused_and_can_come_again(
    inbox: Inbox, stored_event: Call, mongo: Mongo, outbox: Outbox
) -> None:
    event = wire(await stored_event("thing.broken", 4, {"parts": "ten"}))
    with pytest.raises(UnknownVersionError):
        await inbox.apply(event)
    assert await parts(mongo) == ([], [])
    assert await mongo.db.inbox.count_documents({}) == 0


async def test_what_the_handler_has_done_is_not_done_again_when_the_projection_had_failed(
    inbox: Inbox, stored_event: Call, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = wire(await stored_event("thing.broken", 3, {"parts": 7}))

    async def fails(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setitem(PARTS.handlers, "thing.broken", fails)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        await inbox.apply(event)
    assert await parts(mongo) == ([7], [])
    monkeypatch.undo()
    await inbox.apply(event)
    assert await parts(mongo) == ([7], [7])


async def test_an_event_does_not_get_too_old_for_a_subscriber_that_was_away_while_a_job_does(
    settings: ServiceSettings,
) -> None:
    async def job(_: Any) -> None: ...

    def never_opened(_: ServiceSettings) -> Any: ...

    worker: ServiceWorker[Any, Any] = ServiceWorker(settings, never_opened, threads=1)
    worker.actor(job, "jobs")
    worker.on_events()
    [limit] = [each for each in worker._broker.middleware if isinstance(each, AgeLimit)]

    def of(actor: str) -> MessageProxy:
        return MessageProxy(Message("q", actor, (), {}, {}, message_timestamp=0))

    with pytest.raises(SkipMessage):
        limit.before_process_message(worker._broker, of("job"))
    limit.before_process_message(worker._broker, of(EVENT_ACTOR))
