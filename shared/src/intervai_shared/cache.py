"""Read-through cache of wire models in Redis: single flight, compressed above 1 KiB, open when Redis is down."""

import secrets
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from cashews import Cache as Cashews
from cashews.backends.redis import Redis as CashewsRedis
from cashews.backends.redis.client import SafeRedis, SafeRedisCluster
from cashews.wrapper.backend_settings import register_backend
from prometheus_client import Counter
from pydantic import BaseModel, ValidationError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.typing import KeyT

from intervai_shared import redis, redis_cluster
from intervai_shared.errors import UNAVAILABLE
from intervai_shared.logs import log
from intervai_shared.redis_retry import FailFast
from intervai_shared.settings import ServiceSettings

#: Bytes from which a value is worth compressing.
COMPRESS_FROM = 1024
#: Seconds that one process may hold the right to load a key before others load it too.
LOAD_LOCK_SECONDS = 5
#: Seconds between two looks of a caller who waits for another's load.
WAIT_SECONDS = 0.02
#: Seconds for which an invalidation is remembered: longer than any load takes.
CHANGED_SECONDS = 60
#: Seconds for which an old value answers, once a load has failed, before the next reader tries to load it.
OLD_SECONDS = 10

#: Seconds after which a cache that says nothing counts as a miss.
TIMEOUT_SECONDS = 1.0
#: Connections to one server; further readers wait for one.
CONNECTIONS = 10

ModelT = TypeVar("ModelT", bound=BaseModel)
READS = Counter("intervai_cache_reads_total", "Reads of the cache", ["name", "result"])


class _Pool(BlockingConnectionPool):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_connections": CONNECTIONS, "timeout": TIMEOUT_SECONDS})


class _SafeCluster(SafeRedisCluster, redis_cluster.Cluster):  # type: ignore[misc]  # whatever a RedisCluster is
    """A miss when the Cluster is down. cashews hides errors of `execute_command` only."""

    initialize = redis_cluster.Cluster.initialize  # cashews' own lacks the arguments that redis-py 8 gives it

    async def unlink(self, *names: KeyT) -> Any:
        return await self.execute_command("UNLINK", *names)  # redis-py's goes by a pipeline


class _Backend(CashewsRedis):
    """cashews on our client, since its own knows neither Sentinels nor several nodes."""

    def __init__(self, settings: ServiceSettings, **options: Any) -> None:
        super().__init__("", **options)
        self._settings = settings
        self._opened: Redis | None = None

    @property
    def is_init(self) -> bool:
        return self._opened is not None

    async def init(self) -> None:
        self._opened = redis.open_client(
            self._settings,
            client=SafeRedis,
            cluster=_SafeCluster,
            pool=_Pool,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            health_check_interval=10,
            client_name=f"{self._settings.service}-cache",
            max_connections=redis.MAX_CONNECTIONS,
            retry=FailFast(retries=0),
        )
        self._client = cast("SafeRedis", self._opened)

    async def close(self) -> None:
        client, self._opened = self._opened, None
        if client is not None:
            await client.aclose()


register_backend("service", _Backend)


def connect(settings: ServiceSettings) -> Cashews:
    """cashews on this service's Redis. An unreachable Redis reads as a miss (`suppress`). No pickle: what lies in Redis
    must never run as code here."""
    cache = Cashews(name=settings.service)
    cache.setup("service://", settings=settings, suppress=True, pickle_type="null")
    return cache


class ModelCache(Generic[ModelT]):
    """A cache of one kind of model under `prefix:key`, `ttl_seconds` long. While what it is loaded from is unreachable
    it gives the last value, not older than `if_error_seconds` (the `stale-if-error` of RFC 5861)."""

    def __init__(
        self, backend: Cashews, prefix: str, model: type[ModelT], ttl_seconds: int, *, if_error_seconds: int = 0
    ) -> None:
        self._backend = backend
        self._prefix = prefix
        self._model = model
        self._ttl = ttl_seconds
        self._if_error = if_error_seconds

    async def get_or_load(self, key: str, load: Callable[[], Awaitable[ModelT]]) -> ModelT:
        """The cached model, else `load()`, run by one caller at a time for a key. Raises what `load` raises."""
        full = f"{self._prefix}:{key}"
        if (found := await self._read(full)) is not None:
            READS.labels(self._prefix, "hit").inc()
            return found
        async with self._backend.lock(f"{full}:loading", expire=LOAD_LOCK_SECONDS, check_interval=WAIT_SECONDS):
            if (found := await self._read(full)) is not None:
                READS.labels(self._prefix, "shared").inc()
                return found
            READS.labels(self._prefix, "miss").inc()
            return await self._load(full, load)

    async def invalidate(self, key: str) -> None:
        """Forgets a key; call it after the write has been committed."""
        full = f"{self._prefix}:{key}"
        await self._backend.set(f"{full}:changed", secrets.token_bytes(8), expire=CHANGED_SECONDS)
        await self._forget(full)

    async def _load(self, full: str, load: Callable[[], Awaitable[ModelT]]) -> ModelT:
        """Loads and keeps a value, but not one that may have been read before an invalidation came."""
        before = await self._backend.get(f"{full}:changed")
        try:
            value = await load()
        except UNAVAILABLE as error:
            value = await self._old(full, error)
            await self._keep(full, value, OLD_SECONDS)
        else:
            await self._keep(full, value, self._ttl)
            if self._if_error:
                await self._keep(f"{full}:old", value, self._if_error)
        if await self._backend.get(f"{full}:changed") != before:
            await self._forget(full)
        return value

    async def _old(self, full: str, error: Exception) -> ModelT:
        """The value loaded last; raises the error when there is none. For a while it is the cached one then: not every
        reader waits for a load that fails."""
        if not self._if_error or (old := await self._read(f"{full}:old")) is None:
            raise error
        log.warning("an old value answers", cache=self._prefix, error=repr(error))
        READS.labels(self._prefix, "old").inc()
        return old

    async def _keep(self, full: str, value: ModelT, seconds: int) -> None:
        await self._backend.set(full, _pack(value.model_dump_json().encode()), expire=seconds)

    async def _forget(self, full: str) -> None:
        await self._backend.delete(full)
        if self._if_error:
            await self._backend.delete(f"{full}:old")

    async def _read(self, full: str) -> ModelT | None:
        packed = await self._backend.get(full)
        if not isinstance(packed, bytes):
            return None
        try:
            return self._model.model_validate_json(_unpack(packed))
        except (ValidationError, zlib.error):  # written by another version of the model: as good as absent
            return None


def _pack(value: bytes) -> bytes:
    return b"z" + zlib.compress(value, 1) if len(value) >= COMPRESS_FROM else b"p" + value


def _unpack(value: bytes) -> bytes:
    return zlib.decompress(value[1:]) if value[:1] == b"z" else value[1:]
