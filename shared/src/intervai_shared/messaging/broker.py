"""Dramatiq on Redis: one way to make a broker, for publishers and for workers."""

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, CurrentMessage, Middleware, Retries, ShutdownNotifications, TimeLimit

from intervai_shared.settings import ServiceSettings

#: Attempts in all; Dramatiq counts the retries after the first.
ATTEMPTS = 3
MIN_BACKOFF_MS = 2_000
MAX_BACKOFF_MS = 60_000
TIME_LIMIT_MS = 120_000
#: A message older than this is no longer wanted by anybody.
AGE_LIMIT_MS = 24 * 3600 * 1000
#: Silence after which a worker counts as dead and its messages go to another.
HEARTBEAT_TIMEOUT_MS = 30_000
#: Commands out of a million that also look for dead workers (the default, 1,000, finds them too late).
MAINTENANCE_CHANCE = 20_000


def namespace(service: str) -> str:
    """Where a service's queues live; the hash tag keeps them in one slot of a Redis Cluster."""
    return "{intervai-" + service + "}"


def publisher(settings: ServiceSettings, service: str) -> RedisBroker:
    """A broker that only enqueues, into the queues of `service`."""
    return _broker(settings, service, [])


def consumer(settings: ServiceSettings, *middleware: Middleware) -> RedisBroker:
    """The broker of this service's own worker; `middleware` comes after Dramatiq's."""
    standard: list[Middleware] = [
        AgeLimit(max_age=AGE_LIMIT_MS),
        TimeLimit(time_limit=TIME_LIMIT_MS),
        ShutdownNotifications(notify_shutdown=True),
        CurrentMessage(),
        Retries(max_retries=ATTEMPTS - 1, min_backoff=MIN_BACKOFF_MS, max_backoff=MAX_BACKOFF_MS),
    ]
    broker = _broker(settings, settings.service, [*standard, *middleware])
    dramatiq.set_broker(broker)
    return broker


def _broker(settings: ServiceSettings, service: str, middleware: list[Middleware]) -> RedisBroker:
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        client_name=f"{settings.service}-broker",
    )
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client,
        namespace=namespace(service),
        middleware=middleware,
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
        maintenance_chance=MAINTENANCE_CHANCE,
    )
