"""Letters in Mongo: job records that also say what the token of their link is good for."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError

from auth_service.letters.kinds import LetterKind
from intervai_shared.jobs import SWEEP_INDEX
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, to_be_retried

#: Seconds for which a letter's record is kept: longer than its message may wait, and than its link is good.
KEEP_SECONDS = 7 * 24 * 3600
COLLECTION = "letters"
INDEXES = {
    COLLECTION: [
        SWEEP_INDEX,
        IndexModel([("user", ASCENDING), ("kind", ASCENDING), ("createdAt", ASCENDING)]),
        IndexModel([("createdAt", ASCENDING)], expireAfterSeconds=KEEP_SECONDS),
    ]
}


class LetterRepository:
    """A letter is `{kind, user, to, data, usedAt, expiresAt, …}` with the fields of a job record. `user` is None until
    the worker has looked up whose address it is, or `to` until it has looked up the address of the person; `expiresAt`
    is None until it has written the link out."""

    def __init__(self, db: Database) -> None:
        self._letters = db[COLLECTION]

    async def insert(self, letter: Document, session: Session) -> None:
        """Adds a letter that waits to be sent."""
        await self._letters.insert_one(letter, session=session)

    async def insert_new(self, letters: list[Document], session: Session) -> list[ObjectId]:
        """Adds letters by ids of their own; those that are there stay as they are. The ids of the new ones."""
        ids = [letter["_id"] for letter in letters]
        there = await self._letters.find({"_id": {"$in": ids}}, {"_id": True}, session=session).to_list()
        known = {letter["_id"] for letter in there}
        fresh = [letter for letter in letters if letter["_id"] not in known]
        if fresh:
            try:
                await self._letters.insert_many(fresh, session=session)
            except BulkWriteError as error:  # another run adds them at this moment
                raise to_be_retried(error) from error
        return [letter["_id"] for letter in fresh]

    async def by_id(self, letter_id: ObjectId) -> Document | None:
        """The letter that a token names: the token is the proof of whose it is."""
        return await self._letters.find_one({"_id": letter_id})

    async def use(self, letter: Document, session: Session) -> bool:
        """Spends the token of a letter; False when it is spent already, or past its time."""
        good = {key: letter[key] for key in ("_id", "kind", "user", "to")}
        unused = {**good, "usedAt": None, "expiresAt": {"$gt": utc_now()}}
        changed = await self._letters.update_one(unused, {"$set": {"usedAt": utc_now()}}, session=session)
        return changed.modified_count == 1

    async def has_newer(self, letter: Document, session: Session | None = None) -> bool:
        """Whether the same person was sent, or is being sent, a newer letter of the kind."""
        newer = {"user": letter["user"], "kind": letter["kind"], "createdAt": {"$gt": letter["createdAt"]}}
        return await self._letters.find_one(newer, {"_id": True}, session=session) is not None

    async def void(self, user: ObjectId, kind: LetterKind, session: Session) -> None:
        """Makes the tokens of a person's letters of one kind void."""
        unused = {"user": user, "kind": kind, "usedAt": None}
        await self._letters.update_many(unused, {"$set": {"expiresAt": utc_now()}}, session=session)
