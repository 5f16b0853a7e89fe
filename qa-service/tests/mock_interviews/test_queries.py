"""The queries of mock interviews: whom they reach, and by which index."""

from collections.abc import Awaitable, Callable
from typing import Any

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.mock_interviews.repository import InterviewRepository
from qa_service.mock_interviews.schemas import InterviewStart
from qa_service.mock_interviews.states import new_interview

Call = Callable[..., Awaitable[Any]]
BAD = "Bananas are yellow and have nothing to do with it."


async def test_the_queries_of_interviews(
    check_queries: QueryChecks, container: QaContainer, session: Document, user: ObjectId
) -> None:
    mongo = container.resources.mongo
    interviews = InterviewRepository(mongo.db)
    own = new_interview(session["_id"], InterviewStart(), 1, 60, utc_now().replace(year=2020))
    await mongo.db.interviews.insert_one({**own, "user": user})
    later = [utc_now().replace(year=2100), ObjectId()]
    report, here = {"score": 7}, {"session": session["_id"]}
    queries = {
        "insert": lambda u: mongo.transaction(
            lambda t: interviews.insert(u, {**own, "_id": ObjectId(), "session": ObjectId()}, t)
        ),
        "get": lambda u: interviews.get(u, own["_id"]),
        "running": lambda u: interviews.running(u, session["_id"]),
        "page": lambda u: interviews.page(u, None, 5, None),
        "page of a session": lambda u: interviews.page(u, session["_id"], 5, None),
        "page after": lambda u: interviews.page(u, session["_id"], 5, later),
        "save": lambda u: mongo.transaction(lambda t: interviews.save(u, own, {"score": None}, t)),
        "store_report": lambda u: interviews.store_report(u, own["_id"], report),
        "pool": lambda u: interviews.pool(u, session["_id"]),
        "overdue": lambda _: interviews.overdue(utc_now(), 5),
        "forget": lambda u: mongo.transaction(lambda t: interviews.forget(u, t, here)),
    }
    # The sweep ends anybody's.
    await check_queries(InterviewRepository, user, queries, silent={"insert", "forget"}, ownerless={"overdue"})
