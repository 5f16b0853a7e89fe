"""The queries of questions: whom they reach, and which index serves them."""

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.query_checks import QueryChecks
from qa_service.collections.repository import CollectionRepository
from qa_service.container import QaContainer
from qa_service.events import QuestionChanged
from qa_service.questions.repository import PINNED_FIRST, ChangeLog, QuestionRepository
from qa_service.questions.service import new_question

CONTENT: Document = {
    "text": "Why?",
    "answer": "",
    "difficulty": "easy",
    "category": "SQL",
    "keyPoints": [],
    "followUps": [],
}


async def test_the_queries_of_questions(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, session = container.resources.mongo, ObjectId()
    questions, question = QuestionRepository(mongo.db), new_question(session, CONTENT, source="custom")
    own, some = question["_id"], {"isPinned": False, "difficulty": "easy", "category": "SQL", "q": "why"}
    await mongo.db.questions.insert_one({**question, "user": user, "fingerprint": "f"})
    later = [True, utc_now(), ObjectId()]
    queries = {
        "take_turn": lambda u: mongo.transaction(lambda t: questions.take_turn(u, t)),
        "insert": lambda u: mongo.transaction(
            lambda t: questions.insert(u, [new_question(ObjectId(), CONTENT, source="custom")], t)
        ),
        "again": lambda u: mongo.transaction(lambda t: questions.again(u, question, t)),
        "get": lambda u: questions.get(u, own),
        "get_many": lambda u: questions.get_many(u, [own, ObjectId()]),
        "newest": lambda u: questions.newest(u, {}, 10, 10),
        "newest filtered": lambda u: questions.newest(u, {"session": session, "isPinned": False}, 10, 10),
        "count_by_kind": lambda u: questions.count_by_kind(u, session),
        "page": lambda u: questions.page(u, session, {}, 5, None),
        "page filtered": lambda u: questions.page(u, session, some, 5, None),
        "page after": lambda u: questions.page(u, session, {}, 5, later),
        "all_of_session": lambda u: questions.all_of_session(u, session),
        "texts_of_session": lambda u: questions.texts_of_session(u, session),
        "briefs_of_session": lambda u: questions.briefs_of_session(u, session),
        "known": lambda u: questions.known(u, 5),
        "taken": lambda u: mongo.transaction(lambda t: questions.taken(u, ["f"], t)),
        "update": lambda u: questions.update(u, question, {"notes": "Mine"}),
        "mark": lambda u: questions.mark(u, question, {"rewriting": ObjectId()}),
        "update_each": lambda u: mongo.transaction(lambda t: questions.update_each(u, [(question, {"version": 2})], t)),
        "delete": lambda u: mongo.transaction(lambda t: questions.delete(u, [question], t)),
        "delete_of_session": lambda u: mongo.transaction(lambda t: questions.delete_of_session(u, session, t)),
    }
    await check_queries(QuestionRepository, user, queries, silent={"take_turn", "insert", "delete_of_session"})


async def test_the_queries_of_the_history(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    resources, own = container.resources, ObjectId()
    log, mongo = ChangeLog(resources.mongo.db), resources.mongo
    told = {
        "user": user,
        "session": own,
        "cause": "edit",
        "version": 2,
        "before": {"text": "a"},
        "after": {"text": "b"},
    }
    event = QuestionChanged.model_validate(told)
    await mongo.transaction(lambda t: resources.outbox.add_event(t, own, event))
    [stored] = await log.newest(user, own, 1)
    queries = {
        "newest": lambda u: log.newest(u, own, 5),
        "newest before": lambda u: log.newest(u, own, 5, ObjectId("f" * 24)),
        "causes": lambda u: mongo.transaction(lambda t: log.causes(u, own, 5, t)),
        "get": lambda u: mongo.transaction(lambda t: log.get(u, own, stored["_id"], t)),
    }
    await check_queries(ChangeLog, user, queries)


async def test_the_queries_of_collections(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, own, question = container.resources.mongo, ObjectId(), {"_id": ObjectId(), "session": ObjectId()}
    collections = CollectionRepository(mongo.db)
    await mongo.db.collections.insert_one({"_id": own, "user": user, "createdAt": utc_now()})
    await mongo.transaction(lambda t: collections.add(user, own, [question], t))
    later: list[object] = [utc_now().replace(year=2100), ObjectId()]
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: collections.insert(u, {"_id": ObjectId()}, t)),
        "count": lambda u: mongo.transaction(lambda t: collections.count(u, t)),
        "get": lambda u: collections.get(u, own),
        "page": lambda u: collections.page(u, 5, None),
        "page after": lambda u: collections.page(u, 5, later),
        "update": lambda u: collections.update(u, own, {"name": "Mine"}),
        "items": lambda u: collections.items(u, own, 5, None),
        "items after": lambda u: collections.items(u, own, 5, [ObjectId("f" * 24)]),
        "questions_in": lambda u: mongo.transaction(lambda t: collections.questions_in(u, own, t)),
        "sizes": lambda u: collections.sizes(u, [own]),
        "add": lambda u: mongo.transaction(
            lambda t: collections.add(u, ObjectId(), [{"_id": ObjectId(), "session": ObjectId()}], t)
        ),
        "remove": lambda u: collections.remove(u, own, question["_id"]),
        "delete": lambda u: mongo.transaction(lambda t: collections.delete(u, own, t)),
    }
    await check_queries(CollectionRepository, user, queries, silent={"insert", "add"})


async def test_a_list_is_read_from_its_index(container: QaContainer, user: ObjectId) -> None:
    """By what the engine says that it does, for the list that must stay quick among millions. The embedded engine says
    COLLSCAN when a filter has two fields, though it looks up the first one: so it is asked without the owner."""
    questions, session = container.resources.mongo.db.questions, ObjectId()
    many = [{**new_question(session, CONTENT, source="custom"), "user": user} for _ in range(200)]
    await questions.insert_many(many)
    found = questions.find({"session": session}).sort(PINNED_FIRST.sort).limit(20)
    last = _stages((await found.explain())["queryPlanner"]["winningPlan"])[-1]
    assert last["stage"] == "IXSCAN"
    assert list(last["keyPattern"]) == ["session", "isPinned", "createdAt", "_id"]


def _stages(plan: Document) -> list[Document]:
    """A plan from its end to what it begins with."""
    return [plan, *(_stages(plan["inputStage"]) if "inputStage" in plan else [])]
