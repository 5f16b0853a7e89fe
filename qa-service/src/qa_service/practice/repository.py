"""`attempts`, `drafts` and `practice` in Mongo. Shard key: `user`, hashed. A draft and the state of practice have the
id of their question; both belong to the question's owner."""

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, to_be_retried

_BY_USER_AND_SESSION = IndexModel([("user", ASCENDING), ("session", ASCENDING)])
INDEXES = {
    "attempts": [
        IndexModel([("user", ASCENDING), ("question", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("user", ASCENDING), ("session", ASCENDING), ("createdAt", DESCENDING)]),
        IndexModel([("user", ASCENDING), ("fingerprint", ASCENDING), ("status", ASCENDING)]),
        IndexModel([("user", ASCENDING), ("interview", ASCENDING)]),
    ],
    "drafts": [_BY_USER_AND_SESSION],
    "practice": [_BY_USER_AND_SESSION],
}


class AttemptRepository:
    """Every method takes the owner first."""

    def __init__(self, db: Database) -> None:
        self._attempts = db.attempts
        self._practice = db.practice
        self._jobs = db.jobs

    async def insert(self, user: ObjectId, attempt: Document, session: Session) -> None:
        """Stores a new attempt."""
        await self._attempts.insert_one({**attempt, "user": user}, session=session)

    async def get(self, user: ObjectId, attempt_id: ObjectId) -> Document | None:
        """One attempt of the user."""
        return await self._attempts.find_one({"_id": attempt_id, "user": user})

    async def page(self, user: ObjectId, question_id: ObjectId, limit: int, after: Position | None) -> list[Document]:
        """The newest attempts at a question after a position."""
        return await NEWEST_FIRST.find(self._attempts, {"user": user, "question": question_id}, limit, after)

    async def of_interview(self, user: ObjectId, interview_id: ObjectId) -> list[Document]:
        """All attempts of a mock interview."""
        return await self._attempts.find({"user": user, "interview": interview_id}).to_list()

    async def jobs(self, user: ObjectId, job_ids: list[ObjectId]) -> list[Document]:
        """`{_id, status, error}` of the jobs that score."""
        where = {"_id": {"$in": job_ids}, "user": user}
        return await self._jobs.find(where, {"status": 1, "error": 1}).to_list()

    async def scored_like(self, user: ObjectId, fingerprint: str) -> Document | None:
        """An attempt that a model has judged, with this answer to this question by these rules."""
        return await self._attempts.find_one({"user": user, "fingerprint": fingerprint, "status": "scored"})

    async def score(self, user: ObjectId, attempt_id: ObjectId, result: Document, session: Session) -> bool:
        """Writes the result. False when the user has no such attempt (any more)."""
        change = {"$set": {**result, "updatedAt": utc_now()}}
        changed = await self._attempts.update_one({"_id": attempt_id, "user": user}, change, session=session)
        return changed.matched_count == 1

    async def delete(self, user: ObjectId, attempt_id: ObjectId, session: Session) -> bool:
        """False when the user has no such attempt."""
        deleted = await self._attempts.delete_one({"_id": attempt_id, "user": user}, session=session)
        return deleted.deleted_count == 1

    async def practice(self, user: ObjectId, question_ids: list[ObjectId]) -> list[Document]:
        """How the user stands with these questions, those that were practised."""
        return await self._practice.find({"_id": {"$in": question_ids}, "user": user}).to_list()

    async def sum_up(
        self, user: ObjectId, question_id: ObjectId, interview_session: ObjectId, session: Session
    ) -> None:
        """Makes the state of practice anew from the attempts; of equal scores the first one is the best."""
        where = {"user": user, "question": question_id}
        found = await self._attempts.find(where, {"score": 1, "createdAt": 1}, session=session).to_list()
        scored = [each for each in found if each.get("score") is not None]
        best = min(scored, key=lambda each: (-each["score"], each["createdAt"], each["_id"]), default=None)
        last = max(scored, key=lambda each: (each["createdAt"], each["_id"]), default=None)
        state = {
            "session": interview_session,
            "attempts": len(found),
            "bestScore": best and best["score"],
            "bestAttempt": best and best["_id"],
            "lastScore": last and last["score"],
            "updatedAt": utc_now(),
        }
        practice = {"_id": question_id, "user": user}
        try:
            await self._practice.update_one(practice, {"$set": state}, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """Removes all practice of what was deleted: `where` is `{session: id}` or `{question: [ids]}`."""
        if questions := where.get("question"):
            by_question: Document = {"user": user, "question": {"$in": questions}}
            by_id: Document = {"_id": {"$in": questions}, "user": user}
        else:
            by_question = by_id = {"user": user, "session": where["session"]}
        await self._attempts.delete_many(by_question, session=session)
        await self._practice.delete_many(by_id, session=session)


class DraftRepository:
    """Every method takes the owner first. A draft without an answer is a mark of the version up to which saves are
    late."""

    def __init__(self, db: Database) -> None:
        self._drafts = db.drafts

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document | None:
        """The draft, or its mark."""
        return await self._drafts.find_one({"_id": question_id, "user": user})

    async def put(
        self, user: ObjectId, question_id: ObjectId, interview_session: ObjectId, answer: str, version: int
    ) -> bool:
        """Saves an answer, unless there is one of this version or a newer one: then False."""
        now = utc_now()
        older = {"_id": question_id, "user": user, "version": {"$lt": version}}
        change = {
            "$set": {"answer": answer, "version": version, "session": interview_session, "updatedAt": now},
            "$setOnInsert": {"createdAt": now},
        }
        try:
            await self._drafts.update_one(older, change, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def empty(
        self, user: ObjectId, question_id: ObjectId, version: int | None, session: Session | None = None
    ) -> None:
        """Removes the answer; a save of up to `version`, and of what was stored, no longer counts."""
        change: Document = {"$set": {"answer": None, "updatedAt": utc_now()}}
        if version is not None:
            change["$max"] = {"version": version}
        await self._drafts.update_one({"_id": question_id, "user": user}, change, session=session)

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """Removes the drafts of what was deleted: `where` is `{session: id}` or `{question: [ids]}`."""
        if questions := where.get("question"):
            await self._drafts.delete_many({"_id": {"$in": questions}, "user": user}, session=session)
        else:
            await self._drafts.delete_many({"user": user, "session": where["session"]}, session=session)
