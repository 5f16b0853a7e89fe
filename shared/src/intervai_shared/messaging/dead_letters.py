"""Dead letters: messages that a worker has given up, with what went wrong, until somebody has them done again or drops
them (https://www.enterpriseintegrationpatterns.com/patterns/messaging/DeadLetterChannel.html)."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId
from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.http.paging import ListOrder, Position
from intervai_shared.jobs import JobRecords
from intervai_shared.live import LiveUpdates
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

#: Seconds for which a letter that was replayed or dropped stays for a look. The dead ones stay until then.
KEEP_CLOSED_SECONDS = 30 * 24 * 3600
#: Why a message is given up.
FAILED, POISON, TOO_OLD, UNKNOWN = "failed", "killed its worker", "too old", "unknown actor"
#: What the person reads in a job that was not failed by its own last attempt.
_JOB_ERRORS = {
    FAILED: "It did not work. Please try again later.",
    POISON: "The job was given up after 3 attempts.",
    TOO_OLD: "The job waited too long and was given up.",
    UNKNOWN: "This kind of job is not known any more.",
}
NEWEST_DEATH_FIRST = ListOrder({"diedAt": datetime, "_id": ObjectId})
INDEXES = {
    "dead_letters": [
        IndexModel([("state", ASCENDING), *NEWEST_DEATH_FIRST.sort]),
        IndexModel([("closedAt", ASCENDING)], expireAfterSeconds=KEEP_CLOSED_SECONDS),
    ]
}
BURIED = Counter("intervai_dead_letters_total", "Messages given up", ["queue", "reason"])


class DeadLetters:
    """The dead letters of one service, in its database."""

    def __init__(self, db: Database, outbox: Outbox, live: LiveUpdates) -> None:
        self._db = db
        self._letters = db.dead_letters
        self._outbox = outbox
        self._live = live

    async def keep(self, letter: Document) -> None:
        """Keeps a letter and fails its job; a second time is a no-op.

        It is `{_id, queue, actor, args, reason, error, traceback, retries, trace, sentAt, records}`; `records` names
        the collection of the job's record, or is None.
        """
        if letter["records"]:
            records = JobRecords(self._db[letter["records"]], self._live)
            await records.abandon(ObjectId(letter["args"][0]), _JOB_ERRORS[letter["reason"]])
        stored = {**letter, "state": "dead", "diedAt": utc_now(), "closedAt": None}
        kept = await self._letters.update_one({"_id": stored.pop("_id")}, {"$setOnInsert": stored}, upsert=True)
        if kept.upserted_id is not None:
            BURIED.labels(letter["queue"], letter["reason"]).inc()
            shown = {key: letter[key] for key in ("queue", "actor", "reason", "error")}
            log.error("message given up", letterId=str(letter["_id"]), **shown)

    async def page(
        self, limit: int, cursor: str | None = None, *, queue: str | None = None, state: str = "dead"
    ) -> Document:
        """A page of letters, the newest first. Raises InvalidError when the cursor is none."""
        where: Document = {"state": state, **({"queue": queue} if queue else {})}
        after: Position | None = NEWEST_DEATH_FIRST.position(cursor)
        found = await NEWEST_DEATH_FIRST.find(self._letters, where, limit + 1, after)
        return NEWEST_DEATH_FIRST.page(found, limit)

    async def get(self, letter_id: ObjectId) -> Document:
        """Raises NotFoundError."""
        if letter := await self._letters.find_one({"_id": letter_id}):
            return letter
        raise NotFoundError("There is no such dead letter.")

    async def replay(self, letter_id: ObjectId) -> Document:
        """Has it done again: its message is sent anew, and a job that had failed with it waits again.

        Raises:
            NotFoundError: there is no such letter.
            ConflictError: it was replayed or dropped already.
        """
        letter = await self.get(letter_id)

        async def effect(session: Session) -> Document:
            closed = await self._close(letter, "replayed", session)
            if letter["records"]:
                await JobRecords.reopen(self._db[letter["records"]], ObjectId(letter["args"][0]), session)
            await self._outbox.add_job(session, letter["actor"], letter["queue"], *letter["args"])
            return closed

        return await self._outbox.transaction(effect)

    async def drop(self, letter_id: ObjectId) -> Document:
        """Nobody wants it done any more. Raises NotFoundError, ConflictError."""
        letter = await self.get(letter_id)
        return await self._close(letter, "dropped")

    async def every(self, queue: str | None = None) -> Sequence[ObjectId]:
        """The ids of all that are dead, the oldest first."""
        where: Document = {"state": "dead", **({"queue": queue} if queue else {})}
        found = self._letters.find(where, {"_id": 1}).sort("diedAt", 1)
        return [letter["_id"] async for letter in found]

    async def _close(self, letter: Document, state: str, session: Session | None = None) -> Document:
        closed = {"state": state, "closedAt": utc_now()}
        dead = {"_id": letter["_id"], "state": "dead"}
        changed = await self._letters.update_one(dead, {"$set": closed}, session=session)
        if changed.modified_count == 0:
            raise ConflictError("The letter has been replayed or dropped already.")
        return {**letter, **closed}
