"""The queries of attempts and drafts: whom they reach, and by which index."""

from collections.abc import Awaitable, Callable
from typing import Any

from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.practice.repository import AttemptRepository, DraftRepository
from qa_service.practice.service import new_attempt

Call = Callable[..., Awaitable[Any]]
GOOD = "An index is a sorted structure. It makes writes slower. It serves range queries."
HALF = "An index is a sorted structure. The rest I have forgotten again."


async def test_the_queries_of_attempts(
    check_queries: QueryChecks, container: QaContainer, question: Document, user: ObjectId
) -> None:
    mongo, session = container.resources.mongo, question["session"]
    attempts, own = AttemptRepository(mongo.db), new_attempt(question, GOOD, ObjectId())
    job = {"_id": ObjectId(), "user": user, "status": "failed", "error": "No."}
    await mongo.db.jobs.insert_one(job)
    await mongo.db.attempts.insert_one({**own, "user": user, "job": job["_id"], "status": "scored"})
    later = [own["createdAt"].replace(year=2100), ObjectId()]
    score = {"score": 7, "status": "scored"}
    here = {"session": session}
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: attempts.insert(u, {"_id": ObjectId()}, t)),
        "get": lambda u: attempts.get(u, own["_id"]),
        "page": lambda u: attempts.page(u, question["_id"], 5, None),
        "page after": lambda u: attempts.page(u, question["_id"], 5, later),
        "of_interview": lambda u: attempts.of_interview(u, own["interview"]),
        "jobs": lambda u: attempts.jobs(u, [job["_id"]]),
        "scored_like": lambda u: attempts.scored_like(u, own["fingerprint"]),
        "score": lambda u: mongo.transaction(lambda t: attempts.score(u, own["_id"], score, t)),
        # Of a stranger it would make a state of the same id: refused, since each question has one owner.
        "sum_up": lambda u: mongo.transaction(lambda t: attempts.sum_up(u, _of(u, user, question), session, t)),
        "practice": lambda u: attempts.practice(u, [question["_id"]]),
        "delete": lambda u: mongo.transaction(lambda t: attempts.delete(u, own["_id"], t)),
        "forget": lambda u: mongo.transaction(lambda t: attempts.forget(u, t, here)),
        "forget questions": lambda u: mongo.transaction(lambda t: attempts.forget(u, t, {"question": [own["_id"]]})),
    }
    await check_queries(AttemptRepository, user, queries, silent={"insert", "sum_up", "forget"})


def _of(asking: ObjectId, owner: ObjectId, question: Document) -> ObjectId:
    return question["_id"] if asking == owner else ObjectId()


async def test_the_queries_of_drafts(
    check_queries: QueryChecks, container: QaContainer, question: Document, user: ObjectId
) -> None:
    mongo, session = container.resources.mongo, question["session"]
    drafts, own = DraftRepository(mongo.db), question["_id"]
    await drafts.put(user, own, session, "So far", 3)
    here = {"session": session}
    queries = {
        "get": lambda u: drafts.get(u, own),
        "put": lambda u: drafts.put(u, own, session, "Mine", 9),
        "empty": lambda u: drafts.empty(u, own, None),
        "forget": lambda u: mongo.transaction(lambda t: drafts.forget(u, t, here)),
        "forget questions": lambda u: mongo.transaction(lambda t: drafts.forget(u, t, {"question": [own]})),
    }
    await check_queries(DraftRepository, user, queries, silent={"empty", "forget"})
