"""Apache Kafka as a second sink of the events, beside the queues; off unless `KAFKA_BOOTSTRAP_SERVERS` is set.

It is fed from the event log and not from the outbox, with a mark of its own in each event that Kafka has acknowledged:
so neither sink waits for the other, an outage may last as long as it likes, and a Kafka that is switched on later gets
everything that ever happened. At least once, and in order for each aggregate: an event is sent when the one before it
has been acknowledged.

A message is a CloudEvent in binary mode (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/
kafka-protocol-binding.md): the value is the event's data as JSON, the rest is in the headers, the key is the id of the
aggregate.
"""

import asyncio
import logging
import random
import ssl
from collections import Counter as Count
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import compress
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.errors import KafkaConnectionError, KafkaError  # type: ignore[import-untyped]
from prometheus_client import Counter, Gauge
from pydantic import ValidationError
from pymongo import ASCENDING
from pymongo.read_concern import ReadConcern
from redis.asyncio import Redis

from intervai_shared.logs import log
from intervai_shared.messaging.events.catalogue import Catalogue, UnknownVersionError, wire
from intervai_shared.messaging.leader import Leader
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.settings import ServiceSettings

BATCH = 100
#: Seconds between two looks at the log.
POLL_SECONDS = 0.5
#: Seconds that Kafka has to acknowledge, and for which a leader that died is waited for: it must not lapse meanwhile.
REQUEST_SECONDS = 10.0
LEADER_SECONDS = 15.0
#: Seconds after the first and between later tries while Kafka does not answer.
MIN_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 15.0
#: The lag is counted up to here.
MOST_COUNTED = 10_000
# It writes ten lines a second while no broker answers. We say it once a try.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
SENT = Counter("intervai_kafka_events_total", "Events that Kafka has acknowledged", ["topic"])
FAILED = Counter("intervai_kafka_failures_total", "Batches of events that could not be sent to Kafka")
LAG = Gauge("intervai_kafka_lag_events", "Events that wait for Kafka, up to 10,000, as the leading worker sees it")
LAG_SECONDS = Gauge("intervai_kafka_lag_seconds", "Age of the oldest event that waits for Kafka")


class KafkaSink:
    """Takes the event log of one service to Kafka."""

    def __init__(self, settings: ServiceSettings, db: Database, redis: Redis, events: Catalogue) -> None:
        self._settings = settings
        self._events = db.events
        self._as_of_one_moment = db.get_collection("events", read_concern=ReadConcern("snapshot"))
        self._catalogue = events
        self._leader = Leader(redis, f"{settings.service}:kafka-leader", LEADER_SECONDS)
        self._producer: AIOKafkaProducer | None = None

    async def run(self) -> None:
        """Works until cancelled. Raises what Mongo or Redis raise; call it again then."""
        failures = 0
        try:
            while True:
                failures = 0 if await self._work() else failures + 1
                await asyncio.sleep(_backoff(failures) if failures else POLL_SECONDS)
        finally:
            await self._close()

    async def _work(self) -> bool:
        """Sends all there is; False when it failed. Then another worker may try."""
        try:
            while await self._leader.leads() and await self._publish_batch():
                pass
        except (KafkaError, UnknownVersionError, ValidationError) as error:
            FAILED.inc()
            log.warning("events wait for Kafka", error=repr(error))
            await self._close()
            return False
        return True

    async def _publish_batch(self) -> bool:
        """Sends the oldest events that Kafka lacks; True if there may be more."""
        batch = await self._as_of_one_moment.find({"kafkaAt": None}).sort("_id", ASCENDING).limit(BATCH).to_list()
        await self._measure(batch)
        if batch and self._producer is None:
            self._producer = await _connect(self._settings)
        for wave in _waves(batch):
            if not await self._leader.leads():
                return False
            await self._send(wave)
        return len(batch) == BATCH

    async def _send(self, wave: Sequence[Document]) -> None:
        """Sends events of different aggregates, and marks those that were acknowledged. Raises KafkaError."""
        assert self._producer  # noqa: S101
        messages = [self._message(stored) for stored in wave]
        sending = [self._producer.send_and_wait(**message) for message in messages]
        results = await asyncio.gather(*sending, return_exceptions=True)
        sent = [not isinstance(result, BaseException) for result in results]
        done = [stored["_id"] for stored in compress(wave, sent)]
        await self._events.update_many({"_id": {"$in": done}}, {"$set": {"kafkaAt": utc_now()}})
        for message in compress(messages, sent):
            SENT.labels(message["topic"]).inc()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _message(self, stored: Document) -> dict[str, Any]:
        event = self._catalogue.latest(wire(stored))
        aggregate = event["aggregate"] or event["type"].partition(".")[0]
        return {
            "topic": f"{self._settings.kafka_topic_prefix}.{aggregate}",
            "key": event["aggregateId"].encode(),
            "value": orjson.dumps(event["data"]),
            "headers": [(name, value.encode()) for name, value in _headers(event, stored.get("trace") or {})],
            "timestamp_ms": int(stored["occurredAt"].timestamp() * 1000),
        }

    async def _measure(self, batch: Sequence[Document]) -> None:
        unsent = len(batch)
        if unsent == BATCH:
            unsent = await self._events.count_documents({"kafkaAt": None}, limit=MOST_COUNTED)
        LAG.set(unsent)
        LAG_SECONDS.set((utc_now() - batch[0]["occurredAt"]).total_seconds() if batch else 0)

    async def _close(self) -> None:
        """What the producer still holds may arrive later, and comes again: it was not marked."""
        producer, self._producer = self._producer, None
        await self._leader.resign()
        if producer:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 1.0)


async def _connect(settings: ServiceSettings) -> AIOKafkaProducer:
    """A producer whose retries are not doubled, if the broker can. Raises KafkaError."""
    try:
        return await _started(settings, is_idempotent=True)
    except KafkaConnectionError:
        raise
    except KafkaError as error:
        log.warning("Kafka has no idempotent producer for us: a retry may double an event", error=repr(error))
        return await _started(settings, is_idempotent=False)


async def _started(settings: ServiceSettings, *, is_idempotent: bool) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=settings.service,
        acks="all",
        enable_idempotence=is_idempotent,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        **_security(settings),
    )
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await producer.start()
    except TimeoutError as error:
        await producer.stop()
        raise KafkaConnectionError("no answer in time") from error
    except BaseException:
        await producer.stop()
        raise
    return producer


def _security(settings: ServiceSettings) -> dict[str, Any]:
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context()
    if protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def _waves(batch: Iterable[Document]) -> list[list[Document]]:
    """The events in lists that have one of each aggregate at most: the first ones, the second ones, and so on."""
    waves: list[list[Document]] = []
    count: Count[Any] = Count()
    for stored in batch:
        nth = count[stored["aggregateId"]]
        count[stored["aggregateId"]] += 1
        if nth == len(waves):
            waves.append([])
        waves[nth].append(stored)
    return waves


def _headers(event: Document, trace: Document) -> list[tuple[str, str]]:
    """CloudEvents' attributes; `dataversion` and `sequence` are ours."""
    attributes = {
        "specversion": "1.0",
        "id": event["id"],
        "type": event["type"],
        "source": event["source"],
        "subject": event["aggregateId"],
        "time": event["occurredAt"],
        "dataversion": str(event["version"]),
        "sequence": str(event["sequence"] or ""),
    }
    headers = [(f"ce_{name}", value) for name, value in attributes.items()]
    return [*headers, ("content-type", "application/json"), ("traceparent", trace.get("traceparent", ""))]


def _backoff(failures: int) -> float:
    """Seconds, with jitter, so that workers do not come in step."""
    most: float = min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2.0 ** min(failures, 10))
    return most * random.uniform(0.5, 1)  # noqa: S311
