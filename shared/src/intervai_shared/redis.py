"""Redis or Valkey by `REDIS_URL`: the clients of a process, for one server, Sentinel and Cluster alike."""

from collections.abc import Mapping
from typing import Any, cast

import redis as blocking
import redis.asyncio.sentinel
import redis.sentinel
from redis._parsers.base import BaseParser
from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from intervai_shared import redis_cluster
from intervai_shared.redis_address import RedisAddress, parse
from intervai_shared.redis_retry import FailFast
from intervai_shared.settings import ProcessSettings

#: Longest time (ms) that a blocking read waits in Redis: below the socket's time-out, so that silence is no error.
BLOCK_MS = 1500
#: Connections of one process. Each follower of live updates holds one, and redis-py's default of 100 is soon used up.
MAX_CONNECTIONS = 5000
#: Seconds after which a Sentinel that says nothing is passed over for the next.
SENTINEL_SECONDS = 0.5


class NotReplicatedError(blocking.ConnectionError):
    """A master that has lost its replicas takes no writes (`min-replicas-to-write`)."""


# Redis is away, as far as we are concerned: redis-py takes this answer for a mistake in the command.
BaseParser.EXCEPTION_CLASSES["NOREPLICAS"] = NotReplicatedError


class _SentinelPool(redis.asyncio.sentinel.SentinelConnectionPool):
    """Closes the connections to the Sentinels with its own."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def connect(settings: ProcessSettings) -> Redis:
    """The client of an event loop, with short time-outs and one quick retry: what can live without Redis must notice
    soon. It connects at its first command."""
    return open_client(
        settings,
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        health_check_interval=15,
        client_name=settings.service,
        max_connections=MAX_CONNECTIONS,
        retry=FailFast(),
    )


def open_client(
    settings: ProcessSettings,
    *,
    client: type[Redis] = Redis,
    cluster: type[RedisCluster] = redis_cluster.Cluster,
    pool: type[ConnectionPool] = ConnectionPool,
    **options: Any,
) -> Redis:
    """A client of asyncio. `client` and `cluster` are its class; `pool` is used with one server only. What stands in
    the query of `REDIS_URL` goes before `options`. A Cluster's client has the commands of a `Redis`."""
    address = parse(settings.redis_url.get_secret_value())
    if address.kind == "server":
        return client.from_pool(pool.from_url(address.url, **options))
    merged = {**options, **address.options}
    if address.kind == "cluster":
        return cast("Redis", redis_cluster.cluster(address, cluster, merged))
    to_sentinels = _to_sentinels(address, Retry)
    sentinel = redis.asyncio.Sentinel(address.nodes, sentinel_kwargs=to_sentinels, **merged)  # type: ignore[no-untyped-call]
    return cast("Redis", sentinel.master_for(address.master, client, _SentinelPool))


def connect_blocking(settings: ProcessSettings, **options: Any) -> blocking.Redis:
    """A client of threads, for Dramatiq's brokers; `options` are redis-py's. It connects at its first command."""
    address = parse(settings.redis_url.get_secret_value())
    limits = {
        "socket_timeout": settings.redis_timeout_seconds,
        "socket_connect_timeout": settings.redis_timeout_seconds,
        "client_name": f"{settings.service}-broker",
        "retry": blocking.retry.Retry(NoBackoff(), 0),
        **options,
    }
    if address.kind == "server":
        return blocking.Redis.from_url(address.url, **limits)
    merged = {**limits, **address.options}
    if address.kind == "cluster":
        return cast("blocking.Redis", redis_cluster.blocking_cluster(address, merged))
    to_sentinels = _to_sentinels(address, blocking.retry.Retry)
    sentinel = redis.sentinel.Sentinel(address.nodes, sentinel_kwargs=to_sentinels, **merged)  # type: ignore[no-untyped-call]
    return cast("blocking.Redis", sentinel.master_for(address.master))  # type: ignore[no-untyped-call]


def _to_sentinels(address: RedisAddress, retry: type[Any]) -> Mapping[str, Any]:
    limits = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    return {**limits, "retry": retry(NoBackoff(), 0), **address.sentinel_options}


def stream_entries(answer: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """The entries, as (id, fields), of an XREAD on one stream; none when it timed out."""
    return [(entry_id.decode(), fields) for _, entries in answer or [] for entry_id, fields in entries]
