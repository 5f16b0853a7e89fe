"""MongoDB: the client of a process, transactions, and the indexes of its collections."""

import asyncio
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
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure
from pymongo.read_preferences import _ServerMode, make_read_preference

from intervai_shared.logs import log
from intervai_shared.models import Document
from intervai_shared.settings import ServiceSettings

Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession
T = TypeVar("T")
Body = Callable[[Session], Awaitable[Any]]

#: Set while a request with an idempotency key is handled: makes of a transaction's body one that is done once.
once: ContextVar[Callable[[Body], Body] | None] = ContextVar("once", default=None)

#: What ends a transaction without the server being told.
_LOST = (ConnectionFailure, ExecutionTimeout)
#: Transactions that wait to be ended; of more than this, in a long outage, the oldest are left to the server.
MOST_UNENDED = 1000
END_AGAIN_SECONDS = 1.0

_UTC = CodecOptions[Document](tz_aware=True)


@dataclass(frozen=True)
class Mongo:
    """`db` for writes, and for reads in which somebody could miss what they have just written; `read_db` for heavy
    reads of what is behind anyway, like projections: from a secondary, see deploy/mongo/README.md."""

    client: AsyncMongoClient[Document]
    db: Database
    read_client: AsyncMongoClient[Document]
    read_db: Database
    unended: "UnendedTransactions"

    async def transaction(self, body: Callable[[Session], Awaitable[T]], patience: float = 1) -> T:
        """Runs `body` in a transaction, again on a transient conflict: it may have effects only through its session.
        It may take `patience` times as long as one operation elsewhere.

        What a POST answers must come from the result of its transaction, and be storable: see `idempotency`.
        """
        guard = once.get()
        guarded = guard(body) if guard else body
        session = self.client.start_session()
        try:
            # Without a limit of its own `with_transaction` tries for two minutes when the server is away.
            with pymongo.timeout(patience * (self.client.options.timeout or 0) or None):
                result: T = await session.with_transaction(guarded)
        except _LOST:
            self.unended.end(session)
            raise
        except BaseException:
            await session.end_session()
            raise
        await session.end_session()
        return result

    async def ping(self) -> None:
        """Raises PyMongoError when the server does not answer."""
        await self.client.admin.command("ping")

    async def close(self) -> None:
        self.unended.close()
        await self.client.close()
        if self.read_client is not self.client:
            await self.read_client.close()


class UnendedTransactions:
    """Ends, in the background, transactions whose abort could not be sent: the driver gives up with the time-out of the
    transaction, and a server that hears no more keeps what it has locked for a minute
    (transactionLifetimeLimitSeconds). Until then whoever writes the same documents would time out too."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._sessions: list[Session] = []
        self._task: asyncio.Task[None] | None = None

    def end(self, session: Session) -> None:
        """Takes the session over; nobody else uses it until its transaction is over."""
        self._sessions = [*self._sessions[1 - MOST_UNENDED :], session]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while batch := self._sessions[:]:
            try:
                await self._client.admin.command("killSessions", [session.session_id for session in batch])
            except _LOST:
                await asyncio.sleep(END_AGAIN_SECONDS)
                continue
            except OperationFailure as error:  # not allowed here: then the server does it, after its minute
                log.warning("unended transactions stay until the server ends them", error=repr(error))
            self._sessions = [session for session in self._sessions if session not in batch]
            for session in batch:
                await session.end_session()


def connect(settings: ServiceSettings) -> Mongo:
    """The clients of this event loop. They belong to it and survive no fork, so call this in a lifespan."""
    client = _client(settings.mongo_uri.get_secret_value(), settings)
    read_client = client
    if settings.mongo_read_uri and settings.mongo_read_uri != settings.mongo_uri:
        read_client = _client(settings.mongo_read_uri.get_secret_value(), settings)
    name = settings.mongo_database
    behind = _bounded(read_client.read_preference, settings.mongo_max_staleness_seconds)
    read_db = read_client.get_database(name, _UTC, read_preference=behind)
    return Mongo(client, client.get_database(name, _UTC), read_client, read_db, UnendedTransactions(client))


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


def _bounded(told: _ServerMode, seconds: int) -> _ServerMode:
    """The read preference of a URI, or `secondaryPreferred` when it tells none, with its own bound of staleness or this
    one (https://www.mongodb.com/docs/manual/core/read-preference-staleness/)."""
    mode = told.mode or ReadPreference.SECONDARY_PREFERRED.mode
    bound = told.max_staleness if told.max_staleness > 0 else seconds
    tags = list(told.tag_sets) if told.mode else None
    return make_read_preference(mode, tags, bound)


async def ensure_indexes(db: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Creates what is missing; `indexes` maps a collection's name to its indexes. Safe to run in every process."""
    for collection, models in indexes.items():
        if models:
            await db[collection].create_indexes(list(models))


def to_be_retried(error: OperationFailure) -> OperationFailure:
    """What to raise in a transaction's body, so that it is run again, when another took the key meanwhile. MongoDB says
    so itself as long as the other has not committed."""
    return OperationFailure(str(error), error.code, {"errorLabels": ["TransientTransactionError"]})


def object_id(value: str) -> ObjectId:
    """`value` must have been validated as 24 hex digits.

    Raises:
        bson.errors.InvalidId: it has not.
    """
    return ObjectId(value)


def compact(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the None values: for a filter or an update of what the caller gave."""
    return {key: value for key, value in fields.items() if value is not None}
