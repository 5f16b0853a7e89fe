"""Dramatiq on Redis: one way to make a broker, for publishers and for workers."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import dramatiq
import redis
from dramatiq import Consumer, Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, CurrentMessage, Middleware, Retries, TimeLimit, TimeLimitExceeded
from redis.backoff import NoBackoff
from redis.retry import Retry

from intervai_shared.errors import OUTAGES
from intervai_shared.jobs import GaveUpError
from intervai_shared.logs import log
from intervai_shared.messaging.consuming import WokenConsumer
from intervai_shared.messaging.wakes import QueueWakes
from intervai_shared.redis import connect_blocking
from intervai_shared.settings import ProcessSettings

#: Attempts in all.
ATTEMPTS = 3
MIN_BACKOFF_MS = 2_000
MAX_BACKOFF_MS = 60_000
TIME_LIMIT_MS = 120_000
#: A message older than this is no longer wanted by anybody.
AGE_LIMIT_MS = 24 * 3600 * 1000
#: Silence after which a worker counts as dead and its messages go to another.
HEARTBEAT_TIMEOUT_MS = 30_000
#: Dramatiq keeps what was given up for 7 days. Ours lies in `dead_letters` by then, where it can be seen and erased.
DEAD_MESSAGE_TTL_MS = 60_000
#: Seconds between two tries to enqueue while Redis does not answer.
ENQUEUE_SECONDS = 1.0
#: Commands out of a million that also look for dead workers (the default, 1,000, finds them too late).
MAINTENANCE_CHANCE = 20_000


def in_bulk(name: str) -> str:
    """The bulk twin of a queue, or of an actor: for large work that may wait. A worker does what is in a queue before
    what is in its twin, and keeps half of its threads free of that."""
    return f"{name}.bulk"


def is_bulk(queue: str) -> bool:
    """Whether it is a bulk twin; not so the queue of its retries, which takes no threads."""
    return queue.endswith(".bulk")


def namespace(service: str) -> str:
    """Where a service's queues live; the hash tag keeps them in one slot of a Redis Cluster."""
    return "{intervai-" + service + "}"


class WorkerBroker(RedisBroker):
    """A worker's broker, which loses no message when Redis goes away for a while and comes back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._consumed: set[str] = set()
        self.wakes = QueueWakes()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 0) -> Consumer:  # noqa: ARG002
        """A consumer; a second one of a queue is made after a connection error.

        Then nobody here knows any more what the first had fetched: retries that wait for their time, or messages whose
        answer got lost. In Redis they belong to this broker, which goes on living. So it goes on under a new id, and
        what belongs to the old one comes back with the heartbeat time-out. What is still at work here comes twice.

        Of a bulk queue it fetches half as much: the other half of the worker's threads is always there for the rest.
        It waits for wake-ups, and `timeout` has no meaning.
        """
        if queue_name in self._consumed:
            self._consumed.clear()
            self.broker_id = str(uuid4())
        self._consumed.add(queue_name)
        if is_bulk(queue_name):
            prefetch = max(1, prefetch // 2)
        return WokenConsumer(self, queue_name, prefetch, self.wakes)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueues a retry, or a delayed message that is due; waits for Redis, since Dramatiq would drop it."""
        while True:
            try:
                enqueued = super().enqueue(message, delay=delay)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                log.warning("message not enqueued, tries again", messageId=message.message_id, error=repr(error))
                time.sleep(ENQUEUE_SECONDS)
            else:
                self.wakes.of(enqueued.queue_name).set()
                return enqueued


def publisher(settings: ProcessSettings, service: str) -> RedisBroker:
    """A broker that only enqueues, into the queues of `service`. Raises redis.RedisError."""
    return RedisBroker(**_options(settings, service, []))  # type: ignore[no-untyped-call]


def consumer(settings: ProcessSettings, *middleware: Middleware, first: Sequence[Middleware] = ()) -> WorkerBroker:
    """The broker of this service's own worker; `middleware` comes after Dramatiq's, `first` before."""
    standard: list[Middleware] = [
        AgeLimit(max_age=AGE_LIMIT_MS),
        TimeLimit(time_limit=TIME_LIMIT_MS),
        CurrentMessage(),
        Retries(retry_when=worth_a_retry, min_backoff=MIN_BACKOFF_MS, max_backoff=MAX_BACKOFF_MS),
    ]
    # No retries of the client: a fetch that is sent twice takes two messages and gives one.
    options = _options(settings, settings.service, [*first, *standard, *middleware], retry=Retry(NoBackoff(), 0))
    broker = WorkerBroker(**options)
    dramatiq.set_broker(broker)
    return broker


def worth_a_retry(retries: int, error: BaseException) -> bool:
    """Two retries. More while a part is down: then the message has not really been tried."""
    return retries < ATTEMPTS - 1 or isinstance(error, OUTAGES)


def worth_another_attempt(retries: int, error: BaseException) -> bool:
    """The same for a job with a record, which counts its own attempts and says when it gave up. What a time limit stops
    has no more to say."""
    return not isinstance(error, GaveUpError) and (retries < ATTEMPTS - 1 or not isinstance(error, TimeLimitExceeded))


def _options(settings: ProcessSettings, service: str, middleware: list[Middleware], **client: Any) -> dict[str, Any]:
    return {
        "client": connect_blocking(settings, **client),
        "namespace": namespace(service),
        "middleware": middleware,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT_MS,
        "maintenance_chance": MAINTENANCE_CHANCE,
        "dead_message_ttl": DEAD_MESSAGE_TTL_MS,
    }
