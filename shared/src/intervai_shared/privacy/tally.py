"""Deletes in batches, and counts exactly what was deleted, however often the process is killed in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId

from intervai_shared.job_lease import LostLeaseError
from intervai_shared.jobs import JobRun
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Mongo, Session

#: Documents deleted in one transaction.
BATCH = 200


@dataclass(frozen=True)
class Tally:
    """The counts of one erasure, in its record: `field` of the document that `held` finds."""

    mongo: Mongo
    records: Collection
    held: Document
    field: str

    @classmethod
    def of_run(cls, mongo: Mongo, records: Collection, run: JobRun) -> "Tally":
        """For a run of the job. It writes only as long as it has the lease."""
        return cls(mongo, records, {"_id": run.id, "status": "running", "attempt": run.attempt}, "counts")

    @classmethod
    def of_stragglers(cls, mongo: Mongo, records: Collection, user: ObjectId) -> "Tally":
        """For what came in when the job had ended."""
        return cls(mongo, records, {"_id": user}, "late")

    async def add(self, counts: dict[str, int], session: Session | None = None) -> None:
        """Adds to the counts. Raises LostLeaseError."""
        added = {f"{self.field}.{name}": count for name, count in counts.items() if count}
        if not added:
            return
        change = {"$inc": added, "$set": {"updatedAt": utc_now()}}
        changed = await self.records.update_one(self.held, change, session=session)
        if changed.matched_count == 0:
            raise LostLeaseError

    async def delete(
        self, name: str, collection: Collection, where: Document, ids: Sequence[object], uploads: Sequence[str] = ()
    ) -> None:
        """Deletes a batch in one transaction, and notes `uploads`, which may be written again: see `Holding`. Raises
        LostLeaseError."""

        async def effect(session: Session) -> None:
            gone = await collection.delete_many({**where, "_id": {"$in": list(ids)}}, session=session)
            if gone.deleted_count:
                await self.add({name: gone.deleted_count}, session)
            if uploads:
                noted = {"$addToSet": {"uploads": {"$each": list(uploads)}}}
                await self.records.update_one(self.held, noted, session=session)

        await self.mongo.transaction(effect)

    async def delete_all(self, name: str, collection: Collection, where: Document) -> None:
        """Deletes all that a filter finds. Raises LostLeaseError."""
        while found := await collection.find(where, {"_id": True}).limit(BATCH).to_list():
            await self.delete(name, collection, where, [document["_id"] for document in found])
