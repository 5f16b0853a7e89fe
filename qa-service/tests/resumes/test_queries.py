"""The queries of résumés: whom they reach, and which index serves them."""

from bson import ObjectId

from intervai_shared.models import utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.resumes.repository import ResumeRepository


async def test_the_queries_of_resumes(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, own, now = container.resources.mongo, ObjectId(), utc_now()
    resumes, later = ResumeRepository(mongo.db), [utc_now().replace(year=2100), ObjectId()]
    resume = {"_id": own, "user": user, "state": "reading", "createdAt": now, "sweepAt": now}
    await mongo.db.resumes.insert_one(resume)
    done, states = {"text": "Ada"}, ("reading", "ready")
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: resumes.insert(u, {"_id": ObjectId()}, t)),
        "get": lambda u: resumes.get(u, own),
        "move": lambda u: mongo.transaction(lambda t: resumes.move(u, own, states, done, t)),
        "count": resumes.count,
        "page": lambda u: resumes.page(u, 5, None),
        "page after": lambda u: resumes.page(u, 5, later),
        "discard": lambda u: resumes.discard(u, own, now),
        "due": lambda _: resumes.due(later[0]),
        "swept": lambda u: resumes.swept({**resume, "state": "discarded", "user": u}),
    }
    # The sweep looks for everybody's.
    await check_queries(ResumeRepository, user, queries, silent={"insert", "swept"}, ownerless={"due", "swept"})
