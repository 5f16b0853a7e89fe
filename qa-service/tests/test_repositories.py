"""Every query of every repository: it uses an index, and it reaches only what belongs to the owner that it names."""

import inspect
from collections.abc import Awaitable, Callable
from itertools import takewhile
from typing import Any

import pytest
from bson import ObjectId
from pymongo import monitoring

from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from qa_service.analytics.repository import TopicUses
from qa_service.container import QaContainer
from qa_service.generation.prompt import questions_prompt
from qa_service.jobs.repository import JobRepository
from qa_service.llm.replies import Reply
from qa_service.llm.repository import CallJournal
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import new_question
from qa_service.sessions.repository import SessionRepository

REPOSITORIES = (SessionRepository, QuestionRepository, JobRepository, CallJournal, TopicUses)
CONTENT = {"text": "Why?", "answer": "", "difficulty": "easy", "category": "SQL", "keyPoints": [], "followUps": []}
#: Queries without an answer.
SILENT = {"insert", "begin", "put", "record", "delete_of_session"}
Keys = list[tuple[str, int]]
Queries = dict[str, Callable[[ObjectId], Awaitable[Any]]]


class Recorder(monitoring.CommandListener):
    """Notes the commands of the clients that are made after it."""

    def __init__(self) -> None:
        self.commands: list[Document] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in {"find", "update", "delete", "aggregate", "count", "distinct", "findAndModify"}:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Ask for it before the container: Mongo's clients take their listeners when they are made."""
    listeners = monitoring._LISTENERS
    monkeypatch.setattr(monitoring, "_LISTENERS", listeners._replace(command_listeners=[made := Recorder()]))
    return made


@pytest.fixture
async def queries(recorder: Recorder, container: QaContainer, user: ObjectId) -> Queries:
    """Each query by its name, of whoever is given, on a session of `user` with all that belongs to it."""
    mongo = container.resources.mongo
    sessions, questions, jobs = SessionRepository(mongo.db), QuestionRepository(mongo.db), JobRepository(mongo.db)
    journal, uses = CallJournal(mongo.db), TopicUses(mongo.db.topic_uses)
    records = JobRecords(mongo.db.jobs, container.resources.live)
    session, now = ObjectId(), utc_now()
    question, job = new_question(session, CONTENT, source="custom"), JobRecords.new("generation", user)
    own, mine, reply = question["_id"], job["_id"], Reply("{}", "m", 1, 1)
    some = {"isPinned": False, "difficulty": "easy", "category": "SQL", "q": "why"}
    later: list[object] = [now.replace(year=now.year + 1), ObjectId()]
    await mongo.db.sessions.insert_one({"_id": session, "user": user, "status": "pending", "createdAt": now})
    await mongo.db.questions.insert_one({**question, "user": user})
    await mongo.db.jobs.insert_one(job)
    await journal.put(user, mine, "0", questions_prompt({}), reply)
    await mongo.transaction(lambda t: uses.record(user, "sql", now, t))
    return {
        "SessionRepository.insert": lambda u: mongo.transaction(lambda t: sessions.insert(u, {"_id": ObjectId()}, t)),
        "SessionRepository.get": lambda u: sessions.get(u, session),
        "SessionRepository.page": lambda u: sessions.page(u, 5, None),
        "SessionRepository.page after": lambda u: sessions.page(u, 5, later),
        "SessionRepository.update": lambda u: sessions.update(u, session, {"title": "Mine"}),
        "SessionRepository.add_questions": lambda u: sessions.add_questions(u, session, 1),
        "SessionRepository.begin": lambda u: mongo.transaction(lambda t: sessions.begin(u, session, t)),
        "QuestionRepository.insert": lambda u: mongo.transaction(
            lambda t: questions.insert(u, [{"_id": ObjectId()}], t)
        ),
        "QuestionRepository.get": lambda u: questions.get(u, own),
        "QuestionRepository.page": lambda u: questions.page(u, session, {}, 5, None),
        "QuestionRepository.page filtered": lambda u: questions.page(u, session, some, 5, None),
        "QuestionRepository.page after": lambda u: questions.page(u, session, {}, 5, [True, now, own]),
        "QuestionRepository.all_of_session": lambda u: questions.all_of_session(u, session),
        "QuestionRepository.texts_of_session": lambda u: questions.texts_of_session(u, session),
        "QuestionRepository.update": lambda u: questions.update(u, own, {"notes": "Mine"}),
        "JobRepository.insert": lambda u: mongo.transaction(lambda t: jobs.insert(u, {"_id": ObjectId()}, t)),
        "JobRepository.get": lambda u: jobs.get(u, mine),
        "JobRecords.cancel": lambda u: records.cancel({"user": u}, mine),
        "CallJournal.get": lambda u: journal.get(u, mine, "0"),
        "CallJournal.put": lambda u: journal.put(u, ObjectId(), "0", questions_prompt({}), reply),
        "TopicUses.record": lambda u: mongo.transaction(lambda t: uses.record(u, "go", now, t)),
        "TopicUses.by_topic": lambda _: uses.by_topic(now),
        "QuestionRepository.delete": lambda u: mongo.transaction(lambda t: questions.delete(u, own, t)),
        "QuestionRepository.delete_of_session": lambda u: mongo.transaction(
            lambda t: questions.delete_of_session(u, session, t)
        ),
        "SessionRepository.delete": lambda u: mongo.transaction(lambda t: sessions.delete(u, session, t)),
    }


async def test_no_query_is_left_out_here(queries: Queries) -> None:
    public = {
        f"{repository.__name__}.{name}"
        for repository in REPOSITORIES
        for name, _ in inspect.getmembers(repository, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {name.split()[0] for name in queries} == public | {"JobRecords.cancel"}


async def test_every_query_takes_the_owner_first(queries: Queries) -> None:
    for repository in REPOSITORIES:
        for name, method in inspect.getmembers(repository, inspect.isfunction):
            if not name.startswith("_") and name != "by_topic":
                assert list(inspect.signature(method).parameters)[1] == "user", f"{repository.__name__}.{name}"


async def test_a_query_of_another_finds_nothing_and_changes_nothing(
    queries: Queries, container: QaContainer, user: ObjectId
) -> None:
    db = container.resources.mongo.db
    before = await _things_of(user, db)
    for name, query in queries.items():
        if not name.startswith("TopicUses"):
            assert not await query(ObjectId()), name
    assert await _things_of(user, db) == before


async def test_a_query_of_the_owner_finds_what_is_there(queries: Queries, user: ObjectId) -> None:
    for name, query in queries.items():
        if name.split()[0].split(".")[1] not in SILENT:
            assert await query(user), name


async def test_every_query_is_served_by_an_index_also_in_its_order(
    queries: Queries, recorder: Recorder, container: QaContainer, user: ObjectId
) -> None:
    indexes = await _indexes(container.resources.mongo.db)
    for name, query in queries.items():
        recorder.commands.clear()
        await query(user)
        assert recorder.commands or name.endswith("insert"), name
        for command in recorder.commands:
            collection = next(iter(command.values()))
            for where, sort in _searches(command):
                assert is_served(where, sort, indexes[collection]), f"{name}: {where}, {sort}"


@pytest.mark.parametrize(
    ("where", "sort", "served"),
    [
        ({"_id": 1, "role": "x"}, [], True),
        ({"user": 1}, [], True),
        ({"day": {"$gte": 1}}, [], True),
        ({"user": 1}, [("createdAt", -1), ("_id", -1)], True),
        ({"user": 1, "createdAt": 2}, [("_id", -1)], True),
        ({}, [], False),
        ({"role": "x"}, [], False),
        ({"createdAt": 1}, [], False),
        ({"user": 1}, [("createdAt", 1), ("_id", -1)], False),
        ({"user": 1}, [("role", 1)], False),
        ({"user": {"$gt": 1}}, [("createdAt", -1)], False),
    ],
)
def test_a_query_without_an_index_would_be_noticed(where: Document, sort: Keys, served: bool) -> None:
    assert is_served(where, sort, [[("user", 1), ("createdAt", -1), ("_id", -1)], [("day", 1)]]) == served


def is_served(where: Document, sort: Keys, indexes: list[Keys]) -> bool:
    """Whether an index leads to the documents of a filter, in that order. Not by `explain`: the embedded engine's says
    COLLSCAN of a filter by `_id` and owner, which in truth it looks up."""
    return "_id" in where or any(_serves(keys, where, sort) for keys in indexes)


def _serves(keys: Keys, where: Document, sort: Keys) -> bool:
    fixed = [field for field, _ in takewhile(lambda key: not isinstance(where.get(key[0], {}), dict), keys)]
    left = [key for key in sort if key[0] not in fixed]
    if left:
        return bool(fixed) and keys[len(fixed) :][: len(left)] == left
    return keys[0][0] in where


def _searches(command: Document) -> list[tuple[Document, Keys]]:
    """The filters of a command, with their order."""
    kind = next(iter(command))
    if kind == "find":
        return [(command["filter"], list(command.get("sort", {}).items()))]
    if kind == "aggregate":
        return [(command["pipeline"][0]["$match"], [])]
    return [(each["q"], []) for each in command[f"{kind}s"]]


async def _indexes(db: Database) -> dict[str, list[Keys]]:
    """The keys of the indexes that serve any filter, by collection."""
    found: dict[str, list[Keys]] = {}
    for name in await db.list_collection_names():
        indexes = await (await db[name].list_indexes()).to_list()
        found[name] = [list(each["key"].items()) for each in indexes if "partialFilterExpression" not in each]
    return found


async def _things_of(user: ObjectId, db: Database) -> list[Document]:
    names = ("sessions", "questions", "jobs", "llm_calls", "topic_uses")
    return [thing for name in names async for thing in db[name].find({"user": user})]
