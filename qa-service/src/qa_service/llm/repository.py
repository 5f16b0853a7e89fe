"""`llm_calls`: the journal of the calls of the model. A reply is paid for, so it is kept before it is looked at."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from qa_service.llm.prompt import Prompt
from qa_service.llm.replies import Reply

INDEXES = {"llm_calls": [IndexModel([("user", ASCENDING), ("_id", ASCENDING)])]}


class CallJournal:
    """`_id` is `<job>:<step>`: a job that starts again reads what it had instead of paying twice."""

    def __init__(self, db: Database) -> None:
        self._calls = db.llm_calls

    async def get(self, user: ObjectId, job: ObjectId, step: str) -> Reply | None:
        """The whole reply to a call that was made before."""
        found = await self._calls.find_one({"_id": f"{job}:{step}", "user": user})
        if found is None:
            return None
        tokens = (found["inputTokens"], found["outputTokens"])
        return Reply(found["content"], found["model"], *tokens, found["cut"], found["costMicros"])

    async def put(self, user: ObjectId, job: ObjectId, step: str, prompt: Prompt, reply: Reply) -> None:
        """Keeps a reply."""
        entry: Document = {
            "user": user,
            "job": job,
            "prompt": prompt.name,
            "promptVersion": prompt.version,
            "content": reply.content,
            "model": reply.model,
            "inputTokens": reply.input_tokens,
            "outputTokens": reply.output_tokens,
            "cut": reply.cut,
            "costMicros": reply.cost_micros,
            "createdAt": utc_now(),
        }
        await self._calls.update_one({"_id": f"{job}:{step}"}, {"$setOnInsert": entry}, upsert=True)
