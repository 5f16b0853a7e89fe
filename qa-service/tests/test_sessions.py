"""Changing and deleting sessions and questions."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from intervai_shared.errors import NotFoundError
from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion

Call = Callable[..., Awaitable[Any]]
OWN = {"text": "Why?", "answer": "So.", "category": "SQL", "keyPoints": ["a"], "notes": "n", "difficulty": "hard"}


@pytest.fixture
async def session(http: httpx.AsyncClient) -> Document:
    body = {"role": "Cook", "experience": "junior", "topics": ["Soup"], "jobDescription": "Busy.", "generate": False}
    answer = await http.post("/api/v1/sessions", json=body)
    return {**answer.json(), "path": f"/api/v1/sessions/{answer.json()['id']}"}


@pytest.fixture
async def question(http: httpx.AsyncClient, session: Document) -> Document:
    answer = await http.post(f"{session['path']}/questions", json=OWN)
    assert answer.status_code == 201
    return {**answer.json(), "path": f"/api/v1/questions/{answer.json()['id']}"}


@pytest.fixture
async def things(http: httpx.AsyncClient, session: Document, question: Document) -> dict[str, Document]:
    """Both, as they are now."""
    now = (await http.get(session["path"])).json()
    return {"session": {**now, "path": session["path"]}, "question": question}


CHANGES: dict[str, list[Document]] = {
    "session": [
        {"title": " My day "},
        {"status": "completed"},
        {"role": "Chef", "experience": "lead"},
        {"topics": []},
        {"jobDescription": "Calm."},
        {"jobDescription": None},
    ],
    "question": [
        {"isPinned": True},
        {"notes": "Mine"},
        {"text": "How?", "answer": "", "category": "Go", "difficulty": "easy"},
        {"keyPoints": [], "followUps": ["And?"]},
    ],
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_touches_only_what_was_sent(
    what: str, http: httpx.AsyncClient, things: dict[str, Document]
) -> None:
    path, before = things[what].pop("path"), things[what]
    for change in CHANGES[what]:
        answer = await http.patch(path, json=change)
        assert answer.status_code == 200, change
        after, sent = answer.json(), {name: _trimmed(value) for name, value in change.items()}
        assert datetime.fromisoformat(after["updatedAt"]) > datetime.fromisoformat(before["updatedAt"])
        counted = {name: after[name] for name in ("updatedAt", "version") if name in after}
        assert after == {**before, **sent, **counted}
        assert (await http.get(path)).json() == after
        before = after


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


WRONG: dict[str, list[Document]] = {
    "session": [
        {"title": None},
        {"topics": None},
        {"status": None},
        {"status": "lost"},
        {"title": ""},
        {"questionCount": 3},
    ],
    "question": [
        {"text": None},
        {"isPinned": None},
        {"notes": None},
        {"text": " "},
        {"source": "generated"},
        {"user": "0" * 24},
    ],
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_change_with_something_wrong_is_refused_whole(
    what: str, http: httpx.AsyncClient, things: dict[str, Document]
) -> None:
    path = things[what].pop("path")
    right = {"session": {"role": "Chef"}, "question": {"category": "Go"}}[what]
    for wrong in WRONG[what]:
        answer = await http.patch(path, json={**right, **wrong})
        assert answer.status_code == 422, wrong
        assert [error["field"] for error in answer.json()["errors"]] == list(wrong)
        assert (await http.get(path)).json() == things[what]


@pytest.mark.parametrize("what", ["session", "question"])
async def test_a_change_of_nothing_changes_nothing(
    what: str, http: httpx.AsyncClient, things: dict[str, Document]
) -> None:
    answer = await http.patch(things[what].pop("path"), json={})
    assert (answer.status_code, answer.json()) == (200, things[what])


async def test_ones_own_question_is_marked_as_such_and_has_defaults(http: httpx.AsyncClient, session: Document) -> None:
    answer = await http.post(f"{session['path']}/questions", json={"text": "  Why?  "})
    made = answer.json()
    assert (made["text"], made["source"], made["model"], made["sessionId"]) == ("Why?", "custom", None, session["id"])
    assert (made["answer"], made["difficulty"], made["category"], made["isPinned"]) == ("", "medium", "General", False)


async def test_a_deleted_session_takes_its_questions_and_no_others(
    http: httpx.AsyncClient, container: QaContainer, session: Document, question: Document, person: Person, start: Call
) -> None:
    other = await start(person.id, generate=False)
    kept = await container.questions.add(person.id, other["_id"], NewQuestion(text="Mine?"))
    assert (await http.delete(session["path"])).status_code == 204
    for path in (session["path"], question["path"], f"{session['path']}/questions"):
        assert (await http.get(path)).status_code == 404
    assert (await http.delete(session["path"])).status_code == 404
    db = container.resources.mongo.db
    assert [found["_id"] async for found in db.questions.find()] == [kept["_id"]]
    told = await db.events.find({"type": "session.deleted"}).to_list()
    assert [str(event["aggregateId"]) for event in told] == [session["id"]]


async def test_the_question_count_stays_right_when_many_add_and_delete_at_a_time(
    container: QaContainer, person: Person, session: Document, http: httpx.AsyncClient
) -> None:
    path = f"{session['path']}/questions"
    there = [(await http.post(path, json={"text": f"{number}?"})).json()["id"] for number in range(3)]
    added = [http.post(path, json={"text": f"new {number}?"}) for number in range(3)]
    deleted = [http.delete(f"/api/v1/questions/{question}") for question in [*there[:2], *there[:2]]]
    answers = [answer.status_code for answer in await asyncio.gather(*added, *deleted)]
    assert (answers.count(201), answers.count(204), answers.count(404)) == (3, 2, 2)
    assert await container.resources.mongo.db.questions.count_documents({"user": person.id}) == 4
    assert (await http.get(session["path"])).json()["questionCount"] == 4


async def test_no_question_outlives_a_session_that_is_deleted_at_the_same_time(
    container: QaContainer, person: Person, start: Call
) -> None:
    session_id = (await start(person.id, generate=False))["_id"]
    added = [container.questions.add(person.id, session_id, NewQuestion(text=f"{number}?")) for number in range(6)]
    ended = await asyncio.gather(
        *added[:3], container.sessions.delete(person.id, session_id), *added[3:], return_exceptions=True
    )
    assert {type(result) for result in ended} <= {dict, type(None), NotFoundError}
    assert await container.resources.mongo.db.questions.count_documents({}) == 0
