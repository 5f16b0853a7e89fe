"""Every query of every repository: it uses an index, and it reaches only what belongs to the owner that it names.

The rooms that have a test folder of their own check their repositories there, with the same `check_queries`."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from bson import ObjectId

import qa_service
from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document, utc_now
from intervai_shared.query_checks import Index, Keys, QueryChecks, is_served, public_methods
from qa_service.analytics.repository import TopicUses
from qa_service.container import QaContainer
from qa_service.jobs.repository import JobRepository
from qa_service.sessions.repository import SessionRepository

LATER: list[object] = [utc_now().replace(year=2100), ObjectId()]


async def test_the_queries_of_sessions(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, session, now = container.resources.mongo, ObjectId(), utc_now()
    sessions = SessionRepository(mongo.db)
    await mongo.db.sessions.insert_one(
        {"_id": session, "user": user, "status": "pending", "title": "My", "createdAt": now}
    )
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: sessions.insert(u, {"_id": ObjectId()}, t)),
        "get": lambda u: sessions.get(u, session),
        "page": lambda u: sessions.page(u, {}, 5, None),
        "page filtered": lambda u: sessions.page(u, {"status": "pending", "q": "my"}, 5, None),
        "page after": lambda u: sessions.page(u, {}, 5, LATER),
        "update": lambda u: sessions.update(u, session, {"title": "Mine"}),
        "add_questions": lambda u: sessions.add_questions(u, session, 1),
        "count_link": lambda u: mongo.transaction(lambda t: sessions.count_link(u, session, t)),
        "archive": lambda u: sessions.archive(u, session),
        "archived": lambda u: mongo.transaction(lambda t: sessions.archived(u, [session], t)),
        "page archived": lambda u: sessions.page(u, {"archived": True}, 5, None),
        "restore": lambda u: sessions.restore(u, session),
        "begin": lambda u: mongo.transaction(lambda t: sessions.begin(u, session, t)),
        "delete": lambda u: mongo.transaction(lambda t: sessions.delete(u, session, t)),
    }
    await check_queries(SessionRepository, user, queries, silent={"insert", "begin", "archive", "restore"})


async def test_the_queries_of_jobs(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, job = container.resources.mongo, JobRecords.new("generation", user)
    jobs, mine = JobRepository(mongo.db), job["_id"]
    untold = {**JobRecords.new("generation", user), "status": "failed", "untold": True, "made": []}
    await mongo.db.jobs.insert_many([{**job, "estimateMicros": 3}, untold])
    queries = {
        "insert": lambda u: mongo.transaction(lambda t: jobs.insert(u, {"_id": ObjectId()}, t)),
        "get": lambda u: jobs.get(u, mine),
        "reserved_micros": jobs.reserved_micros,
        "reserved_micros_of_all": lambda _: jobs.reserved_micros_of_all(),
        "untold": lambda _: jobs.untold(),
        "mark_told": lambda u: mongo.transaction(lambda t: jobs.mark_told(u, untold, t)),
    }
    # What is spent in all, and what the sweep tells of, is of everybody.
    everybody = {"untold", "reserved_micros_of_all"}
    await check_queries(JobRepository, user, queries, silent={"insert"}, ownerless=everybody)
    records = JobRecords(mongo.db.jobs, container.resources.live)
    assert not await records.cancel({"user": ObjectId()}, mine)
    assert await records.cancel({"user": user}, mine)


async def test_the_queries_of_trending(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo, now = container.resources.mongo, utc_now()
    uses = TopicUses(mongo.db.topic_uses)
    await mongo.transaction(lambda t: uses.record(user, "sql", now, t))
    queries = {
        "record": lambda u: mongo.transaction(lambda t: uses.record(u, "go", now, t)),
        "by_topic": lambda _: uses.by_topic(now),
    }
    # Trending counts everybody.
    await check_queries(TopicUses, user, queries, silent={"record"}, ownerless={"by_topic"})


def test_no_repository_is_left_out() -> None:
    """Each class of a room's `repository` module is the first argument of a call of `check_queries` in some test."""
    there = {each.__name__ for each in repositories()}
    assert {"SessionRepository", "QuestionRepository", "JobRepository", "CallJournal", "TopicUses"} <= there
    assert sorted(there - checked()) == []


def repositories() -> list[type]:
    """All classes with queries."""
    found = []
    for module in pkgutil.walk_packages(qa_service.__path__, "qa_service."):
        if module.name.endswith("repository"):
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found += [kind for _, kind in members if kind.__module__ == module.name and public_methods(kind)]
    return found


def checked() -> set[str]:
    """The names of the classes that the tests give to `check_queries`."""
    trees = [ast.parse(file.read_text("utf-8")) for file in Path(__file__).parent.rglob("test_*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    asked = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "check_queries"]
    return {argument.id for argument in asked if isinstance(argument, ast.Name)}


@pytest.mark.parametrize(
    ("where", "sort", "served"),
    [
        ({"_id": 1, "role": "x"}, [], True),
        ({"user": 1}, [], True),
        ({"day": {"$gte": 1}}, [], True),
        ({"user": 1}, [("createdAt", -1), ("_id", -1)], True),
        ({"user": 1, "createdAt": 2}, [("_id", -1)], True),
        ({"user": 1}, [("createdAt", 1), ("_id", 1)], True),
        ({"$or": [{"user": 1}, {"day": 2}]}, [], True),
        ({"key": 1}, [], True),
        ({}, [], False),
        ({"role": "x"}, [], False),
        ({"createdAt": 1}, [], False),
        ({"user": 1}, [("createdAt", 1), ("_id", -1)], False),
        ({"user": 1}, [("role", 1)], False),
        ({"user": {"$gt": 1}}, [("createdAt", -1)], False),
        ({"$or": [{"user": 1}, {"role": 2}]}, [], False),
        ({"key": {"$ne": 1}}, [], False),
    ],
)
def test_a_query_without_an_index_would_be_noticed(where: Document, sort: Keys, served: bool) -> None:
    partial = Index([("key", 1)], {"key": {"$exists": True}})
    whole = [Index([("user", 1), ("createdAt", -1), ("_id", -1)]), Index([("day", 1)])]
    assert is_served(where, sort, [*whole, partial]) == served
