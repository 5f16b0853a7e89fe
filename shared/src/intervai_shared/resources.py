"""What every process of a service opens once, in the event loop that it works in."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx
import stamina
from cashews import Cache
from pymongo import IndexModel
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from intervai_shared import cache, idempotency, mongo, redis
from intervai_shared.auth.keys import KeySet
from intervai_shared.auth.revocations import Revocations
from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.http.health import Health
from intervai_shared.http.limits import RateLimits
from intervai_shared.live import LiveUpdates
from intervai_shared.logs import log
from intervai_shared.messaging import dead_letters, inbox, outbox
from intervai_shared.messaging.backpressure import Backpressure
from intervai_shared.messaging.dead_letters import DeadLetters
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.mongo import Mongo
from intervai_shared.privacy import tombstones
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Indexes = Mapping[str, Sequence[IndexModel]]
#: Of the chassis's own collections.
INDEXES: Indexes = {
    **outbox.INDEXES,
    **inbox.INDEXES,
    **dead_letters.INDEXES,
    **idempotency.INDEXES,
    **tombstones.INDEXES,
}


@dataclass(frozen=True)
class Resources:
    """The chassis's part of a service's container."""

    settings: ServiceSettings
    mongo: Mongo
    redis: Redis
    cache: Cache
    services: ServiceClient
    verifier: TokenVerifier
    revocations: Revocations
    limits: RateLimits
    live: LiveUpdates
    outbox: outbox.Outbox
    backpressure: Backpressure
    dead_letters: DeadLetters
    health: Health


class Container(Protocol):
    """What a service's own container must have for the chassis; the rest of it is the service's."""

    @property
    def resources(self) -> Resources: ...


@asynccontextmanager
async def open_resources(settings: ServiceSettings, indexes: Indexes) -> AsyncIterator[Resources]:
    """Connects to the parts and makes the indexes; closes everything at the end.

    Raises:
        pymongo.errors.PyMongoError: Mongo was not there after half a minute.
        HalfRestoredError: see there.
    """
    async with AsyncExitStack() as stack:
        database = mongo.connect(settings)
        stack.push_async_callback(database.close)
        client = redis.connect(settings)
        stack.push_async_callback(client.aclose)
        model_cache = cache.connect(settings)
        stack.push_async_callback(model_cache.close)
        http = await stack.enter_async_context(_internal_http(settings))
        revocations = Revocations(client, settings.access_token_ttl_seconds)
        await _make_indexes(database, {**INDEXES, **indexes})
        await _load(revocations)
        await stack.enter_async_context(keep_running("revocations", revocations.follow))
        log.info("resources open", environment=settings.environment)
        live = LiveUpdates(client, settings.service)
        messages = outbox.Outbox(database, client, settings.service)
        yield Resources(
            settings=settings,
            mongo=database,
            redis=client,
            cache=model_cache,
            services=ServiceClient(http, settings),
            verifier=_verifier(settings, http, revocations),
            revocations=revocations,
            limits=RateLimits(client, settings),
            live=live,
            outbox=messages,
            backpressure=Backpressure(QueueLengths(client, database.db, settings.service)),
            dead_letters=DeadLetters(database.db, messages, live),
            health=_health(database, client),
        )


async def _load(revocations: Revocations) -> None:
    try:
        await revocations.load()
    except RedisError as error:
        log.warning("starts without the list of revoked sessions, learns it when Redis is back", error=repr(error))


def _health(database: Mongo, client: Redis) -> Health:
    """Without Redis requests are still answered: limits and caches let through, messages wait in the outbox."""
    health = Health()
    health.add("mongo", database.ping, needed=True)
    health.add("redis", client.ping, needed=False)
    return health


def _internal_http(settings: ServiceSettings) -> httpx.AsyncClient:
    timeout = httpx.Timeout(settings.internal_timeout_seconds, connect=1.0)
    # Certificates are 3 MB a process, and inside the suite it is mostly plain HTTP.
    needs_certificates = settings.internal_gateway_url.startswith("https:")
    return httpx.AsyncClient(base_url=settings.internal_gateway_url, timeout=timeout, verify=needs_certificates)


def _verifier(settings: ServiceSettings, http: httpx.AsyncClient, revocations: Revocations) -> TokenVerifier:
    return TokenVerifier(
        KeySet(http),
        revocations,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        service=settings.service,
    )


class HalfRestoredError(Exception):
    """A restore of the database has begun and not ended (see deploy/backup)."""


@stamina.retry(on=PyMongoError, attempts=None, timeout=30.0, wait_max=2.0)
async def _make_indexes(database: Mongo, indexes: Indexes) -> None:
    if await database.db.half_restored.find_one():
        raise HalfRestoredError("a restore of this database has not ended; run it again")
    await mongo.ensure_indexes(database.db, indexes)
