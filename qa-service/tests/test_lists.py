"""Lists: their order, their filters, and pages that show each item exactly once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.questions.service import new_question

Call = Callable[..., Awaitable[Any]]
AddQuestions = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def path(person: Person, start: Call) -> str:
    """The questions of an empty session of the person."""
    return f"/api/v1/sessions/{(await start(person.id, generate=False))['_id']}/questions"


@pytest.fixture
def add(container: QaContainer, person: Person, path: str) -> AddQuestions:
    """Stores questions with these differences from a plain one, all of one millisecond; their ids."""
    plain: Document = {"answer": "", "difficulty": "easy", "category": "SQL", "keyPoints": [], "followUps": []}
    now = utc_now()

    async def store(*different: Document) -> list[str]:
        questions = [
            {**new_question(ObjectId(path.split("/")[4]), {"text": "Why?", **plain, **fields}, source="custom")}
            | {"user": person.id, "createdAt": now + timedelta(hours=fields.get("hour", 0))}
            for fields in different
        ]
        await container.resources.mongo.db.questions.insert_many(questions)
        return [str(question["_id"]) for question in questions]

    return store


async def pages(http: httpx.AsyncClient, path: str, **params: Any) -> list[list[str]]:
    """The ids on each page from the first to the last."""
    found: list[list[str]] = []
    cursor: Document = {}
    while cursor is not None:
        answer = await http.get(path, params={**params, **cursor})
        assert answer.status_code == 200, answer.text
        found.append([item["id"] for item in answer.json()["items"]])
        following = answer.json()["nextCursor"]
        cursor = {"cursor": following} if following else None
    return found


async def test_pinned_questions_come_first_and_then_the_newest(
    http: httpx.AsyncClient, path: str, add: AddQuestions
) -> None:
    old, pinned_old, new, pinned_new = await add(
        {"hour": 1}, {"hour": 0, "isPinned": True}, {"hour": 3}, {"hour": 2, "isPinned": True}
    )
    assert await pages(http, path) == [[pinned_new, pinned_old, new, old]]


async def test_pages_show_each_question_once_though_all_are_of_one_millisecond(
    http: httpx.AsyncClient, path: str, add: AddQuestions
) -> None:
    ids = await add(*[{"isPinned": number % 3 == 0} for number in range(12)])
    expected = sorted(ids[::3], reverse=True) + sorted((x for x in ids if x not in ids[::3]), reverse=True)
    for limit, sizes in {1: [1] * 12, 5: [5, 5, 2], 6: [6, 6], 100: [12]}.items():
        found = await pages(http, path, limit=limit)
        assert [len(page) for page in found] == sizes
        assert [item for page in found for item in page] == expected


async def test_changes_behind_and_beside_a_reader_neither_hide_nor_repeat_a_question(
    http: httpx.AsyncClient, path: str, add: AddQuestions, person: Person, start: Call
) -> None:
    ids = await add(*[{"hour": hour, "isPinned": hour == 5} for hour in range(6)])
    first = (await http.get(path, params={"limit": 3})).json()
    assert [item["id"] for item in first["items"]] == [ids[5], ids[4], ids[3]]
    other = await http.post(
        f"/api/v1/sessions/{(await start(person.id, generate=False))['_id']}/questions", json={"text": "Elsewhere?"}
    )
    for seen in (ids[4], other.json()["id"]):
        assert (await http.patch(f"/api/v1/questions/{seen}", json={"isPinned": True})).status_code == 200
    await http.delete(f"/api/v1/questions/{ids[3]}")
    await add({"hour": 9})
    rest = (await http.get(path, params={"limit": 3, "cursor": first["nextCursor"]})).json()
    assert [item["id"] for item in rest["items"]] == [ids[2], ids[1], ids[0]]
    assert rest["nextCursor"] is None


KINDS: list[Document] = [
    {"text": "Why SQL?", "isPinned": True, "difficulty": "hard"},
    {"text": "Why Go?", "category": "Go", "difficulty": "hard"},
    {"text": "How, in SQL?"},
]


FILTERS: list[tuple[Document, set[int]]] = [
    ({"pinned": "true"}, {0}),
    ({"pinned": "false"}, {1, 2}),
    ({"difficulty": "hard"}, {0, 1}),
    ({"difficulty": "medium"}, set()),
    ({"category": "Go"}, {1}),
    ({"category": "go"}, set()),
    ({"q": "sQl"}, {0, 2}),
    ({"q": "  why "}, {0, 1}),
    ({"q": ""}, {0, 1, 2}),
    ({"q": "why", "difficulty": "hard", "pinned": "false", "category": "Go"}, {1}),
]


async def test_a_list_shows_what_its_filters_leave(http: httpx.AsyncClient, path: str, add: AddQuestions) -> None:
    ids = await add(*KINDS)
    for params, expected in FILTERS:
        [page] = await pages(http, path, **params)
        assert {ids.index(item) for item in page} == expected, params


async def test_a_searched_piece_is_text_and_never_a_pattern(
    http: httpx.AsyncClient, path: str, add: AddQuestions
) -> None:
    pieces = [".*", "(", "[a-z]+", "\\d", "^", "$", "a|b", "+", "?!", "{2}", "\\Q", "Ü"]
    ids = await add(*[{"text": f"What is <{piece.lower()}>"} for piece in pieces], {"text": "<abc> <d> <2> <Ä> <aa>"})
    for wanted, piece in zip(ids, pieces, strict=False):
        assert await pages(http, path, q=f"<{piece}>") == [[wanted]], piece


async def test_filters_hold_on_every_page(http: httpx.AsyncClient, path: str, add: AddQuestions) -> None:
    ids = await add(*[{"text": f"{'odd' if number % 2 else 'even'} {number}"} for number in range(10)])
    assert await pages(http, path, q="odd", limit=2) == [[ids[9], ids[7]], [ids[5], ids[3]], [ids[1]]]


async def test_the_list_of_sessions_shows_each_once_the_newest_first(
    http: httpx.AsyncClient, container: QaContainer, person: Person, start: Call
) -> None:
    ids = [(await start(person.id, generate=False))["_id"] for _ in range(7)]
    await container.resources.mongo.db.sessions.update_many({}, {"$set": {"createdAt": utc_now()}})
    newest = (await start(person.id, generate=False))["_id"]
    found = await pages(http, "/api/v1/sessions", limit=3)
    assert [item for page in found for item in page] == [str(x) for x in [newest, *sorted(ids, reverse=True)]]


async def test_a_wrong_parameter_of_a_list_is_refused(http: httpx.AsyncClient, path: str) -> None:
    for name, value in (("limit", 0), ("limit", 101), ("cursor", "abc"), ("difficulty", "no")):
        answer = await http.get(path, params={name: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"query.{name}"]


async def test_a_cursor_of_another_list_is_refused(http: httpx.AsyncClient, path: str, add: AddQuestions) -> None:
    await add({}, {})
    cursor = (await http.get(path, params={"limit": 1})).json()["nextCursor"]
    assert (await http.get("/api/v1/sessions", params={"cursor": cursor})).status_code == 422


async def test_the_questions_of_no_session_are_not_found_and_those_of_an_empty_one_are_none(
    http: httpx.AsyncClient, path: str
) -> None:
    assert await pages(http, path) == [[]]
    assert (await http.get(f"/api/v1/sessions/{ObjectId()}/questions")).status_code == 404
