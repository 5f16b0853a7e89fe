"""How the chassis's own collections are rid of a person: event log, outbox, dead letters; and the live updates."""

from collections.abc import AsyncIterator, Sequence

from bson import ObjectId

from intervai_shared.live import LiveUpdates
from intervai_shared.models import Document
from intervai_shared.mongo import Collection, Database
from intervai_shared.privacy.events import DELETED, ERASED
from intervai_shared.privacy.holdings import Holding
from intervai_shared.privacy.tally import BATCH, Tally


def events_of(user: ObjectId) -> list[Document]:
    """What finds the person's events in a log, but for those of the erasure itself."""
    others = {"type": {"$nin": [DELETED, ERASED]}}
    return [{"aggregateId": user, **others}, {"data.user": str(user), **others}]


async def erase_events(db: Database, user: ObjectId, tally: Tally) -> None:
    """Removes the person's events, and before them the messages that carry them: those have their ids. The events of
    others keep their numbers: an aggregate is one person's."""
    for where in events_of(user):
        while found := await db.events.find(where, {"_id": True}).limit(BATCH).to_list():
            ids = [event["_id"] for event in found]
            await tally.delete("outbox", db.outbox, {"kind": "event"}, ids)
            await tally.delete("events", db.events, where, ids)


async def erase_dead_letters(db: Database, user: ObjectId, jobs: Sequence[Holding], tally: Tally) -> None:
    """Removes letters whose message named the person, carried one of their events, or was about one of their jobs;
    so it must come before the job records go."""
    names = [{"args": str(user)}, {"args.aggregateId": str(user)}, {"args.data.user": str(user)}]
    for where in names:
        await tally.delete_all("dead_letters", db.dead_letters, where)
    async for ids in job_ids(db, user, jobs):
        await tally.delete_all("dead_letters", db.dead_letters, {"args": {"$in": [str(job) for job in ids]}})


async def erase_live_updates(db: Database, live: LiveUpdates, user: ObjectId, jobs: Sequence[Holding]) -> None:
    """Removes what followers of the person's jobs, or of the person, could still read. Raises redis.RedisError."""
    await live.forget(f"user:{user}")
    async for ids in job_ids(db, user, jobs):
        await live.forget(*(f"job:{job}" for job in ids))


async def job_ids(db: Database, user: ObjectId, jobs: Sequence[Holding]) -> AsyncIterator[list[ObjectId]]:
    """The ids of the person's job records, some at a time."""
    for holding in jobs:
        for where in holding.filters(user):
            async for ids in _ids(db[holding.collection], where):
                yield ids


async def _ids(collection: Collection, where: Document) -> AsyncIterator[list[ObjectId]]:
    batch: list[ObjectId] = []
    async for document in collection.find(where, {"_id": True}):
        batch.append(document["_id"])
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
