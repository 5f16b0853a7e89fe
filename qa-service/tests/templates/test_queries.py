"""The queries of templates: whom they reach, and which index serves them."""

from datetime import timedelta

from bson import ObjectId

from intervai_shared.models import utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.container import QaContainer
from qa_service.templates.repository import TemplateRepository


async def test_the_queries_of_templates(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, own, now = container.resources.mongo, ObjectId(), utc_now()
    templates, later = TemplateRepository(mongo.db), [utc_now().replace(year=2100), ObjectId()]
    link = {"tokenHash": "h", "sharedUntil": now + timedelta(hours=1)}
    await mongo.db.templates.insert_one({"_id": own, "user": user, "createdAt": now, **link})
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: templates.insert(u, {"_id": ObjectId()}, t)),
        "get": lambda u: templates.get(u, own),
        "count": templates.count,
        "page": lambda u: templates.page(u, 5, None),
        "page after": lambda u: templates.page(u, 5, later),
        "shared": lambda _: templates.shared("h", now),
        "update": lambda u: templates.update(u, own, {"name": "Mine"}),
        "unshare": lambda u: templates.unshare(u, own),
        "delete": lambda u: templates.delete(u, own),
    }
    # Whoever has the token may look.
    await check_queries(TemplateRepository, user, queries, silent={"insert"}, ownerless={"shared"})
