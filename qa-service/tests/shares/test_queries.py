"""The queries of links: whom they reach, and which index serves them."""

from datetime import timedelta

from bson import ObjectId

from intervai_shared.models import utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.shares.repository import ShareRepository


async def test_the_queries_of_shares(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, session, now = container.resources.mongo, ObjectId(), utc_now()
    times = {"createdAt": now, "expiresAt": now + timedelta(hours=1)}
    share = {"_id": ObjectId(), "user": user, "session": session, "tokenHash": "h", "views": 0, **times}
    shares, later = ShareRepository(mongo.db), [utc_now().replace(year=2100), ObjectId()]
    await mongo.db.shares.insert_one(share)

    async def insert(owner: ObjectId) -> None:
        new = {"_id": ObjectId(), "session": session, "tokenHash": str(ObjectId())}
        await mongo.transaction(lambda t: shares.insert(owner, new, t))

    queries = {
        "insert": insert,
        "page": lambda u: shares.page(u, session, 5, None),
        "page after": lambda u: shares.page(u, session, 5, later),
        "count": lambda u: mongo.transaction(lambda t: shares.count(u, session, t)),
        "opened": lambda _: shares.opened("h", now),
        "count_view": lambda u: shares.count_view({**share, "user": u}),
        "delete": lambda u: shares.delete(u, session, share["_id"]),
        "delete_of_session": lambda u: mongo.transaction(lambda t: shares.delete_of_session(u, session, t)),
    }
    silent = {"insert", "count_view", "delete_of_session"}
    # Whoever has the token may look, and a look is counted for whoever made the link.
    await check_queries(ShareRepository, user, queries, silent=silent, ownerless={"opened", "count_view"})
