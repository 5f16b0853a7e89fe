"""`interviews` in Mongo. Shard key: `user`, hashed. A document has all that was asked, so that one compare-and-set on
its `version` takes an answer and asks the next question."""

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.errors import ConflictError
from intervai_shared.http.paging import NEWEST_FIRST, Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

INDEXES = {
    "interviews": [
        IndexModel([("user", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel(
            [("user", ASCENDING), ("session", ASCENDING)],
            unique=True,
            partialFilterExpression={"status": "running"},
            name="one_running",
        ),
        IndexModel([("user", ASCENDING), ("session", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("status", ASCENDING), ("endsAt", ASCENDING)]),
    ]
}
#: Questions of a session that are looked at to choose the next one.
MOST_QUESTIONS = 1_000


class InterviewRepository:
    """Every method takes the owner first, but the sweep over those of everybody."""

    def __init__(self, db: Database) -> None:
        self._interviews = db.interviews
        self._questions = db.questions

    async def insert(self, user: ObjectId, interview: Document, session: Session) -> None:
        """Raises ConflictError when one of the session is running."""
        try:
            await self._interviews.insert_one({**interview, "user": user}, session=session)
        except DuplicateKeyError as error:
            raise ConflictError("A mock interview of this session is running.") from error

    async def get(self, user: ObjectId, interview_id: ObjectId) -> Document | None:
        """One interview of the user."""
        return await self._interviews.find_one({"_id": interview_id, "user": user})

    async def running(self, user: ObjectId, session_id: ObjectId) -> Document | None:
        """The one of the session that runs."""
        return await self._interviews.find_one({"user": user, "session": session_id, "status": "running"})

    async def page(
        self, user: ObjectId, session_id: ObjectId | None, limit: int, after: Position | None
    ) -> list[Document]:
        """The newest after a position, of one session or of all."""
        where: Document = {"user": user} if session_id is None else {"user": user, "session": session_id}
        return await NEWEST_FIRST.find(self._interviews, where, limit, after)

    async def save(self, user: ObjectId, seen: Document, fields: Document, session: Session) -> bool:
        """Changes a running interview. False when it is no longer as it was seen."""
        where = {"_id": seen["_id"], "user": user, "status": "running", "version": seen["version"]}
        change = {"$set": {**fields, "updatedAt": utc_now()}, "$inc": {"version": 1}}
        changed = await self._interviews.update_one(where, change, session=session)
        return changed.matched_count == 1

    async def store_report(
        self, user: ObjectId, interview_id: ObjectId, report: Document, session: Session | None = None
    ) -> bool:
        """False when the user has no such interview (any more)."""
        change = {"$set": {"report": report, "score": report["score"], "updatedAt": utc_now()}}
        changed = await self._interviews.update_one({"_id": interview_id, "user": user}, change, session=session)
        return changed.matched_count == 1

    async def pool(self, user: ObjectId, session_id: ObjectId) -> list[Document]:
        """`{_id, text, category, difficulty}` of a session's questions."""
        fields = dict.fromkeys(("text", "category", "difficulty"), 1)
        return await self._questions.find({"session": session_id, "user": user}, fields).limit(MOST_QUESTIONS).to_list()

    async def overdue(self, now: datetime, limit: int) -> list[Document]:
        """Anybody's that run though their time is over."""
        return await self._interviews.find({"status": "running", "endsAt": {"$lt": now}}).limit(limit).to_list()

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """Removes the interviews of a deleted session; a deleted question stays in what was asked."""
        if "session" in where:
            await self._interviews.delete_many({"user": user, "session": where["session"]}, session=session)
