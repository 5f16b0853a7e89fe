"""The queries of the review queue: whom they reach, and by which index."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.reviews.repository import CardRepository, ReviewLog
from qa_service.reviews.service import new_card

Call = Callable[..., Awaitable[Any]]


async def test_the_queries_of_cards(
    check_queries: QueryChecks, container: QaContainer, questions: list[Document], user: ObjectId
) -> None:
    mongo, now = container.resources.mongo, utc_now()
    cards, session = CardRepository(mongo.db), questions[0]["session"]
    fresh, old = (new_card(question, now) for question in questions[:2])
    begun = {"user": user, "isNew": False, "begunAt": now}
    await mongo.db.review_cards.insert_many([{**fresh, "user": user}, {**old, **begun}])
    later, here = now + timedelta(days=1), {"session": session}

    queries = {
        "get": lambda u: cards.get(u, old["_id"]),
        "add": lambda u: mongo.transaction(
            lambda t: cards.add(u, [new_card({"_id": ObjectId(), "session": session}, now)], t)
        ),
        "change": lambda u: mongo.transaction(lambda t: cards.change(u, old, {"step": 1}, t)),
        "due": lambda u: cards.due(u, later, 5),
        "new": lambda u: cards.new(u, 5),
        "begun": lambda u: cards.begun(u, now),
        "counts": lambda u: cards.counts(u, now, later, 21.0),
        "delete": lambda u: cards.delete(u, old["_id"]),
        "forget": lambda u: mongo.transaction(lambda t: cards.forget(u, t, here)),
        "forget questions": lambda u: mongo.transaction(lambda t: cards.forget(u, t, {"question": [old["_id"]]})),
    }
    # Whoever adds cards gets how many were new.
    await check_queries(CardRepository, user, queries, silent={"forget"}, ownerless={"add"})


async def test_the_queries_of_the_log(
    check_queries: QueryChecks, container: QaContainer, questions: list[Document], rate: Call, user: ObjectId
) -> None:
    await rate(questions[0])
    mongo, long_ago = container.resources.mongo, utc_now() - timedelta(days=3650)
    log, here = ReviewLog(mongo.db), {"session": questions[0]["session"]}
    ids = {"question": [questions[0]["_id"]]}
    queries = {
        "add": lambda u: mongo.transaction(lambda t: log.add(u, {"_id": ObjectId()}, t)),
        "of_question": lambda u: log.of_question(u, questions[0]["_id"], 5),
        "counts": lambda u: log.counts(u, long_ago, long_ago),
        "forget": lambda u: mongo.transaction(lambda t: log.forget(u, t, here)),
        "forget questions": lambda u: mongo.transaction(lambda t: log.forget(u, t, ids)),
    }
    await check_queries(ReviewLog, user, queries, silent={"add", "forget"})
