"""The journal of raw replies: a reply is paid for, so it is kept before it is looked at."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from qa_service.generation import prompt
from qa_service.generation.model import Reply

INDEXES = {"generation_replies": [IndexModel([("user", ASCENDING), ("_id", ASCENDING)])]}


class ReplyJournal:
    """`_id` is `<job>:<number of the call>`: a job that starts again reads what it had instead of paying twice."""

    def __init__(self, db: Database) -> None:
        self._replies = db.generation_replies

    async def get(self, user: ObjectId, job: ObjectId, call: int) -> Reply | None:
        """The reply to a call that was made before."""
        found = await self._replies.find_one({"_id": f"{job}:{call}", "user": user})
        if found is None:
            return None
        return Reply(found["content"], found["model"], found["inputTokens"], found["outputTokens"], found["cut"])

    async def put(self, user: ObjectId, job: ObjectId, call: int, reply: Reply) -> None:
        """Keeps a reply."""
        entry: Document = {
            "user": user,
            "content": reply.content,
            "model": reply.model,
            "inputTokens": reply.input_tokens,
            "outputTokens": reply.output_tokens,
            "cut": reply.cut,
            "promptVersion": prompt.VERSION,
            "createdAt": utc_now(),
        }
        await self._replies.update_one({"_id": f"{job}:{call}"}, {"$setOnInsert": entry}, upsert=True)
