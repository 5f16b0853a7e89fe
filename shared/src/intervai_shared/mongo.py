"""MongoDB: the client of a process, transactions, and the indexes of its collections."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from bson import ObjectId
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, IndexModel, ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from intervai_shared.models import Document
from intervai_shared.settings import ServiceSettings

Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession
T = TypeVar("T")
Body = Callable[[Session], Awaitable[Any]]

#: Set while a request with an idempotency key is handled: makes of a transaction's body one that is done once.
once: ContextVar[Callable[[Body], Body] | None] = ContextVar("once", default=None)

_UTC = CodecOptions[Document](tz_aware=True)


@dataclass(frozen=True)
class Mongo:
    """`db` for writes and for reads of one's own writes; `read_db` for read-heavy reads, maybe a little behind."""

    client: AsyncMongoClient[Document]
    db: Database
    read_client: AsyncMongoClient[Document]
    read_db: Database

    async def transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Runs `body` in a transaction, again on a transient conflict: it may have effects only through its session.

        What a POST answers must come from the result of its transaction, and be storable: see `idempotency`.
        """
        guard = once.get()
        guarded = guard(body) if guard else body
        # Without a limit of its own `with_transaction` tries for two minutes when the server is away.
        with pymongo.timeout(self.client.options.timeout):
            async with self.client.start_session() as session:
                return await session.with_transaction(guarded)

    async def ping(self) -> None:
        """Raises PyMongoError when the server does not answer."""
        await self.client.admin.command("ping")

    async def close(self) -> None:
        await self.client.close()
        if self.read_client is not self.client:
            await self.read_client.close()


def connect(settings: ServiceSettings) -> Mongo:
    """The clients of this event loop. They belong to it and survive no fork, so call this in a lifespan."""
    client = _client(settings.mongo_uri.get_secret_value(), settings)
    read_client = client
    if settings.mongo_read_uri and settings.mongo_read_uri != settings.mongo_uri:
        read_client = _client(settings.mongo_read_uri.get_secret_value(), settings)
    name = settings.mongo_database
    read_db = read_client.get_database(name, _UTC, read_preference=ReadPreference.SECONDARY_PREFERRED)
    return Mongo(client, client.get_database(name, _UTC), read_client, read_db)


def _client(uri: str, settings: ServiceSettings) -> AsyncMongoClient[Document]:
    return AsyncMongoClient(
        uri,
        appname=settings.service,
        serverSelectionTimeoutMS=settings.mongo_timeout_ms,
        connectTimeoutMS=settings.mongo_timeout_ms,
        timeoutMS=settings.mongo_timeout_ms,
        maxPoolSize=50,
        w="majority",
    )


async def ensure_indexes(db: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Creates what is missing; `indexes` maps a collection's name to its indexes. Safe to run in every process."""
    for collection, models in indexes.items():
        if models:
            await db[collection].create_indexes(list(models))


def object_id(value: str) -> ObjectId:
    """`value` must have been validated as 24 hex digits.

    Raises:
        bson.errors.InvalidId: it has not.
    """
    return ObjectId(value)


def compact(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the None values: for a filter or an update of what the caller gave."""
    return {key: value for key, value in fields.items() if value is not None}
