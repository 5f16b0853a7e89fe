"""Read-through cache of wire models in Redis: single flight, compressed above 1 KiB, open when Redis is down."""

import secrets
import zlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cashews import Cache as Cashews
from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from intervai_shared.settings import ServiceSettings

#: Bytes from which a value is worth compressing.
COMPRESS_FROM = 1024
#: Seconds that one process may hold the right to load a key before others load it too.
LOAD_LOCK_SECONDS = 5
#: Seconds between two looks of a caller who waits for another's load.
WAIT_SECONDS = 0.02
#: Seconds for which an invalidation is remembered: longer than any load takes.
CHANGED_SECONDS = 60

ModelT = TypeVar("ModelT", bound=BaseModel)
READS = Counter("intervai_cache_reads_total", "Reads of the cache", ["name", "result"])


def connect(settings: ServiceSettings) -> Cashews:
    """cashews on this service's Redis. An unreachable Redis reads as a miss (`suppress`). No pickle: what lies in Redis
    must never run as code here."""
    cache = Cashews(name=settings.service)
    url, name = settings.redis_url.get_secret_value(), f"{settings.service}-cache"
    cache.setup(url, client_name=name, suppress=True, pickle_type="null")
    return cache


class ModelCache(Generic[ModelT]):
    """A cache of one kind of model under `prefix:key`, `ttl_seconds` long."""

    def __init__(self, backend: Cashews, prefix: str, model: type[ModelT], ttl_seconds: int) -> None:
        self._backend = backend
        self._prefix = prefix
        self._model = model
        self._ttl = ttl_seconds

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
        await self._backend.delete(full)

    async def _load(self, full: str, load: Callable[[], Awaitable[ModelT]]) -> ModelT:
        """Loads and keeps a value, but not one that may have been read before an invalidation came."""
        before = await self._backend.get(f"{full}:changed")
        loaded = await load()
        await self._backend.set(full, _pack(loaded.model_dump_json().encode()), expire=self._ttl)
        if await self._backend.get(f"{full}:changed") != before:
            await self._backend.delete(full)
        return loaded

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
