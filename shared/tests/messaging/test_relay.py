"""The relay: everything in the outbox reaches the queues, in order, by one relay at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared import context, tasks
from intervai_shared import redis as redis_module
from intervai_shared.messaging import relay as module
from intervai_shared.messaging.events.catalogue import Event
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.relay import Relay
from intervai_shared.messaging.wakes import queues_channel
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running


class ThingMade(Event):
    """A thing was made."""

    TYPE = "thing.made"
    AGGREGATE = "thing"

    size: int = 3


class ThingIgnored(ThingMade):
    """Nobody wants to know."""

    TYPE = "thing.ignored"


EVENTS: dict[str, type[Event]] = {event.TYPE: event for event in (ThingMade, ThingIgnored)}
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(module, "BATCH", 10)
    monkeypatch.setattr(tasks, "RESTART_SECONDS", 0.05)


class Office:
    """An outbox with numbered jobs, the relays that empty it, and a look at what has arrived."""

    def __init__(self, settings: ServiceSettings, mongo: Mongo, redis: Redis, queued: Callable[..., Any]) -> None:
        self.settings = settings
        self.mongo = mongo
        self._outbox = Outbox(mongo, redis, settings.service)
        self._queued = queued

    async def add(self, *numbers: int) -> None:
        async def body(session: Session) -> None:
            for number in numbers:
                await self._outbox.add_job(session, "do_it", "jobs", number)

        await self._outbox.transaction(body)

    async def add_event(self, event_type: str) -> None:
        async def body(session: Session) -> None:
            await self._outbox.add_event(session, ObjectId(), EVENTS[event_type]())

        await self._outbox.transaction(body)

    @asynccontextmanager
    async def relay(self, settings: ServiceSettings | None = None, **subscribers: list[str]) -> AsyncIterator[Relay]:
        """A relay as a worker process runs it."""
        async with AsyncExitStack() as stack:
            client = redis_module.connect(settings or self.settings)
            stack.push_async_callback(client.aclose)
            named = {name.replace("_", "."): services for name, services in subscribers.items()}
            relay = Relay(settings or self.settings, self.mongo.db, client, named)
            await stack.enter_async_context(keep_running("relay", relay.run))
            yield relay

    async def arrived(self) -> list[int]:
        return [message.args[0] for message in await self._queued("jobs")]

    async def pending(self) -> int:
        return await self.mongo.db.outbox.count_documents({"state": "pending"})

    async def is_empty(self) -> bool:
        return await self.pending() == 0


@pytest.fixture
def office(settings: ServiceSettings, mongo: Mongo, redis: Redis, queued: Callable[..., Any]) -> Office:
    return Office(settings, mongo, redis, queued)


async def test_messages_arrive_in_the_order_in_which_they_were_written(office: Office, eventually: Eventually) -> None:
    await office.add(*range(25))  # more than two batches
    async with office.relay():
        await office.add(25, 26)
        await eventually(office.is_empty)
    assert await office.arrived() == list(range(27))


async def test_a_message_carries_its_actor_its_arguments_and_its_trace(
    office: Office, eventually: Eventually, queued: Callable[..., Any]
) -> None:
    context.request_id.set("request-123")
    await office.add(7)
    async with office.relay():
        await eventually(office.is_empty)
    (message,) = await queued("jobs")
    stored = await office.mongo.db.outbox.find_one()
    assert stored
    assert (message.actor_name, message.args, message.message_id) == ("do_it", (7,), str(stored["_id"]))
    assert message.options["trace"]["requestId"] == "request-123"
    assert (stored["state"], stored["publishedAt"] >= stored["createdAt"]) == ("published", True)


async def test_an_event_goes_to_every_subscriber_and_one_without_is_only_logged(
    office: Office, eventually: Eventually, queued: Callable[..., Any], service: str
) -> None:
    await office.add_event("thing.made")
    await office.add_event("thing.ignored")
    async with office.relay(thing_made=[service, f"{service}-other"]):
        await eventually(office.is_empty)
    for subscriber in (service, f"{service}-other"):
        (message,) = await queued("events", subscriber)
        assert (message.actor_name, message.args[0]["type"]) == ("apply_event", "thing.made")
    assert await office.mongo.db.events.count_documents({}) == 2


async def test_the_workers_of_each_queue_that_has_got_something_are_woken_once_a_batch(
    office: Office, eventually: Eventually, redis: Redis, service: str
) -> None:
    other = f"{service}-other"
    await office.add(*range(5))
    await office.add_event("thing.made")
    async with redis.pubsub() as channel:
        await channel.subscribe(queues_channel(service), queues_channel(other))
        async with office.relay(thing_made=[service, other]):
            await eventually(office.is_empty)
        heard = [await channel.get_message(timeout=0.2) for _ in range(2 + 5)]  # two say that we have subscribed
    told = [(each["channel"].decode(), each["data"].decode()) for each in heard if each and each["type"] == "message"]
    jobs, events = [(queues_channel(service), queue) for queue in ("jobs", "events")]
    assert sorted(told) == sorted([jobs, events, (queues_channel(other), "events")])


async def test_a_lost_wake_up_costs_only_the_time_of_a_poll(
    office: Office, eventually: Eventually, without_redis: ServiceSettings
) -> None:
    client = redis_module.connect(without_redis)  # so that nobody is woken
    async with office.relay():
        await eventually(office.is_empty)
        asleep = Office(office.settings, office.mongo, client, office._queued)
        await asleep.add(1)
        await eventually(office.is_empty)
    await client.aclose()
    assert await office.arrived() == [1]


async def test_what_was_sent_but_not_marked_before_a_crash_is_sent_again_under_the_same_id(
    office: Office, eventually: Eventually, queued: Callable[..., Any]
) -> None:
    await office.add(1, 2)
    async with office.relay() as relay:
        await eventually(office.is_empty)
        await office.mongo.db.outbox.update_many({}, {"$set": {"state": "pending"}})
        await relay._publish_batch()
    messages = await queued("jobs")
    assert [message.args[0] for message in messages] == [1, 2, 1, 2]
    assert len({message.message_id for message in messages}) == 2  # a receiver knows them again


async def test_of_two_relays_one_works_and_the_other_takes_over_when_it_ends(
    office: Office, eventually: Eventually, redis: Redis, service: str
) -> None:
    async with office.relay():
        await office.add(1)
        await eventually(office.is_empty)
        leader = await redis.get(f"{service}:relay-leader")
        async with office.relay():
            for number in range(2, 15):
                await office.add(number)
            await eventually(office.is_empty)
            assert await redis.get(f"{service}:relay-leader") == leader
    assert await office.arrived() == list(range(1, 15))  # none came twice
    assert not await redis.exists(f"{service}:relay-leader")  # given back: the next need not wait for its end


async def test_when_the_leader_dies_another_takes_over_after_its_time(
    office: Office, eventually: Eventually, redis: Redis, service: str
) -> None:
    await redis.set(f"{service}:relay-leader", "a relay that was killed", px=1000)
    await office.add(1)
    async with office.relay():
        await asyncio.sleep(0.1)
        assert await office.arrived() == []
        await eventually(office.is_empty)
    assert await office.arrived() == [1]


async def test_who_has_lost_the_lead_sends_nothing_and_takes_nothing_from_its_successor(
    office: Office, eventually: Eventually, redis: Redis, service: str
) -> None:
    async with office.relay():
        await office.add(1)
        await eventually(office.is_empty)
        await redis.set(f"{service}:relay-leader", "its successor", px=60_000)
        await asyncio.sleep(0.2)  # what it had begun is over
        await office.add(2)
        await asyncio.sleep(0.3)
        assert await office.arrived() == [1]
    assert await redis.get(f"{service}:relay-leader") == b"its successor"


async def test_a_relay_goes_on_when_redis_comes_back(
    office: Office, eventually: Eventually, over_wire: ServiceSettings, redis_wire: Any
) -> None:
    async with office.relay(over_wire):
        await office.add(1)
        await eventually(office.is_empty)
        await redis_wire.cut()
        await office.add(2)
        await asyncio.sleep(0.3)
        assert await office.pending() == 1
        await redis_wire.mend()
        await eventually(office.is_empty)
    assert sorted(set(await office.arrived())) == [1, 2]


async def test_a_relay_ends_when_it_is_told_to_while_redis_is_away(
    office: Office, eventually: Eventually, over_wire: ServiceSettings, redis_wire: Any
) -> None:
    async with asyncio.timeout(20), office.relay(over_wire):
        await office.add(1)
        await eventually(office.is_empty)
        await redis_wire.cut()
