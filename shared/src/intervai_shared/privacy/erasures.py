"""The erasures of a service: who is to be erased, how far it is, and, for ever, who must not come back.

`erasures` holds one document a person, whose `_id` is the person's: it is the job record of the erasure and, from its
first moment on, the tombstone that those ask who would write something new of the person.
"""

from datetime import timedelta

from bson import ObjectId
from prometheus_client import Counter

from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Session
from intervai_shared.privacy.eraser import Eraser, Extras
from intervai_shared.privacy.events import UserErased
from intervai_shared.privacy.holdings import Holdings
from intervai_shared.privacy.tally import Tally
from intervai_shared.privacy.tombstones import ERASURES
from intervai_shared.resources import Resources

ACTOR = "erase_person"
QUEUE = "privacy"
#: For so long what comes in late is looked for: far longer than a request, a retry or a message can be on its way.
STRAGGLERS = timedelta(days=2)
LATE = Counter("intervai_erasure_stragglers_total", "Documents of erased people that came in late and were erased")


class Erasures:
    """Begins, does and watches over the erasures of one service."""

    def __init__(self, resources: Resources, holdings: Holdings, extras: Extras | None = None) -> None:
        self._resources = resources
        self._service = resources.settings.service
        self._mongo = resources.mongo
        self._records: Collection = resources.mongo.db[ERASURES]
        self._jobs = JobRecords(self._records, resources.live)
        self._eraser = Eraser(resources, holdings, extras or Extras())

    async def begin(self, event: Document, session: Session) -> None:
        """Handles `user.deleted`: within its transaction there is the tombstone, and the job is on its way."""
        user = ObjectId(event["data"]["user"])
        if await self._records.find_one({"_id": user}, session=session):
            return
        erasure = ObjectId(event["aggregateId"])
        record = {**JobRecords.new("erasure", user, erasure=erasure, counts={}, late={}), "_id": user}
        await self._records.insert_one(record, session=session)
        await self._resources.outbox.add_job(session, ACTOR, QUEUE, str(user))

    async def run(self, user: ObjectId) -> None:
        """Erases the person and reports it. Idempotent: the record's lease lets one run at a time in, what is gone is
        gone, and the report is written in the transaction that ends the job."""
        await self._jobs.run(user, self._erase)

    async def sweep(self) -> None:
        """Erases what has come in late of people who were erased in the last days; what had failed is begun anew, since
        an erasure is never given up."""
        since = {"createdAt": {"$gt": utc_now() - STRAGGLERS}}
        unfinished = {"status": "failed"}
        for record in await self._records.find({"$or": [since, unfinished]}).to_list():
            if record["status"] == "failed":
                await self._again(record["_id"])
            elif record["status"] == "succeeded":
                await self._erase_stragglers(record)

    async def _erase(self, run: JobRun) -> Document:
        await self._eraser.erase(run.document["user"], Tally.of_run(self._mongo, self._records, run))

        async def effect(session: Session) -> None:
            await run.succeed(session)
            record = await self._records.find_one({"_id": run.id}, session=session)
            counts = record["counts"] if record else {}
            erased = UserErased(erasure_id=run.document["erasure"], service=self._service, counts=counts)
            await self._resources.outbox.add_event(session, ObjectId(), erased)
            log.info("person erased", erasureId=str(run.document["erasure"]), counts=counts)

        await self._resources.outbox.transaction(effect)
        return {}

    async def _again(self, user: ObjectId) -> None:
        async def effect(session: Session) -> None:
            await JobRecords.reopen(self._records, user, session)
            await self._resources.outbox.add_job(session, ACTOR, QUEUE, str(user))

        await self._resources.outbox.transaction(effect)
        log.error("an erasure had failed, it is begun anew", userId=str(user))

    async def _erase_stragglers(self, record: Document) -> None:
        user = record["_id"]
        await self._eraser.remove_files(record.get("uploads", ()))
        await self._eraser.erase(user, Tally.of_stragglers(self._mongo, self._records, user))
        after = await self._records.find_one({"_id": user})
        late = sum(after["late"].values()) - sum(record["late"].values()) if after else 0
        if late:
            LATE.inc(late)
            log.warning("what came in late was erased", userId=str(user), count=late)
