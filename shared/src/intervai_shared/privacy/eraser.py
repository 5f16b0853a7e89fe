"""Erases all that a service holds of a person."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Session
from intervai_shared.privacy import chassis
from intervai_shared.privacy.holdings import IDEMPOTENCY_KEYS, Holding, Holdings
from intervai_shared.privacy.tally import BATCH, Tally
from intervai_shared.resources import Resources

#: Does away with something of a person that is in no collection, and answers how much it was, by name. It is done again
#: after a failure, and again later for what came in late.
Part = Callable[[ObjectId], Awaitable[dict[str, int]]]


class Files(Protocol):
    """Where the files are: `storage.FileStorage`, whose S3 client not every process needs to load."""

    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True)
class Extras:
    """What a service erases beside its collections. `first`: what must end before anything goes, log-in sessions say.
    `last`: copies of what is gone by then. `storage`: opens where the files are; called when there are some."""

    first: Sequence[Part] = ()
    last: Sequence[Part] = ()
    storage: Callable[[], Files] | None = None


class Eraser:
    """Every step can be done again: what is gone is gone."""

    def __init__(self, resources: Resources, holdings: Holdings, extras: Extras) -> None:
        self._resources = resources
        self._db = resources.mongo.db
        self._documents = [*holdings.documents, IDEMPOTENCY_KEYS]
        self._jobs = [holding for holding in holdings.documents if holding.jobs]
        self._extras = extras

    async def erase(self, user: ObjectId, tally: Tally) -> None:
        """All of it: first what runs is stopped, so that it writes nothing more; files go before the records that name
        them, copies after what they are copies of.

        Raises:
            LostLeaseError: another run does it.
            OutageError, redis.RedisError, PyMongoError: a part is down; do it again.
        """
        await self._cancel_jobs(user)
        await self._do(self._extras.first, user, tally)
        await chassis.erase_dead_letters(self._db, user, self._jobs, tally)
        await chassis.erase_live_updates(self._db, self._resources.live, user, self._jobs)
        await chassis.erase_events(self._db, user, tally)
        for holding in self._documents:
            for collection in await holding.collections(self._db):
                for where in holding.filters(user):
                    await self._erase_documents(holding, collection, where, tally)
        await self._do(self._extras.last, user, tally)

    async def _cancel_jobs(self, user: ObjectId) -> None:
        """Whoever runs one loses its lease: `JobRun` writes nothing more. In a transaction: the embedded Mongo engine
        holds a collection while a plain `update_many` waits for a transaction, which may wait for the collection."""
        stopped = {"status": "cancelled", "leaseUntil": None, "finishedAt": utc_now(), "updatedAt": utc_now()}

        async def cancel(session: Session) -> None:
            for holding in self._jobs:
                for where in holding.filters(user):
                    under_way = {**where, "status": {"$in": ["queued", "running"]}}
                    await self._db[holding.collection].update_many(under_way, {"$set": stopped}, session=session)

        await self._resources.mongo.transaction(cancel)

    async def _erase_documents(self, holding: Holding, collection: Collection, where: Document, tally: Tally) -> None:
        if not holding.has_files:
            return await tally.delete_all(holding.collection, collection, where)
        while found := await collection.find(where).limit(BATCH).to_list():
            for document in found:
                await self.remove_files(holding.files(document))
            ids = [document["_id"] for document in found]
            uploads = [key for document in found for key in holding.uploads(document)]
            await tally.delete(holding.collection, collection, where, ids, uploads)
        return None

    async def remove_files(self, keys: Sequence[str]) -> None:
        """Removes files from S3; those that are not there are no error. Raises StorageError."""
        for key in keys:
            await self._storage().delete(key)

    def _storage(self) -> Files:
        if self._extras.storage is None:
            raise TypeError("a holding has files, and nobody has said where they are")
        return self._extras.storage()

    @staticmethod
    async def _do(parts: Sequence[Part], user: ObjectId, tally: Tally) -> None:
        for part in parts:
            await tally.add(await part(user))
