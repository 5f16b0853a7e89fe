"""Imports: a session as export-service writes it comes back as a new one, whole or not at all."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from intervai_shared.models import Document
from intervai_shared.testing import NewPerson
from qa_service.container import QaContainer
from qa_service.sessions.import_schemas import MOST_QUESTIONS, SessionImport

NewSession = Callable[..., Awaitable[Document]]
PATH = "/api/v1/sessions/import"
FORMAT = "urn:intervai:session-export:1"
SCHEMA_FILE = Path(__file__).parents[3] / "docs/schemas/session-export-1.schema.json"
SAID = ("text", "answer", "difficulty", "category", "keyPoints", "followUps", "isPinned", "notes")
DESCRIBED = ("title", "role", "experience", "topics")
#: What a schema may ask of a field.
LIMITS = ("type", "const", "enum", "pattern", "format", "minLength", "maxLength", "maxItems", "required")


def file_of(questions: list[Document], **interview: Any) -> Document:
    session = {"title": "Cook (junior)", "role": "Cook", "experience": "junior", "topics": ["Soup"], **interview}
    return {"schema": FORMAT, "session": session, "questions": questions}


def question(number: int = 0, **fields: Any) -> Document:
    whole = {"text": f"Question {number}?", "answer": f"Answer {number}.", "difficulty": "hard", "category": "Soup"}
    rest = {"keyPoints": ["Salt", "Water"], "followUps": ["Why?"], "isPinned": False, "notes": f"note {number}"}
    return {"id": f"{number:024x}", **whole, **rest, **fields}


#: Files with one thing wrong, and the field that is named for it.
WRONG: list[tuple[Any, str]] = [
    ({**file_of([]), "schema": "urn:intervai:session-export:2"}, "schema"),
    ({"session": file_of([])["session"], "questions": []}, "schema"),
    (file_of([], title="x" * 201), "session.title"),
    (file_of([], role=""), "session.role"),
    (file_of([], experience="x" * 61), "session.experience"),
    (file_of([], topics=["x"] * 21), "session.topics"),
    (file_of([], user="665f1c2e9b1d8a0012345678"), "session.user"),
    (file_of([question(), question(text="x" * 2_001)]), "questions.1.text"),
    (file_of([question(answer="x" * 20_001)]), "questions.0.answer"),
    (file_of([question(notes="x" * 10_001)]), "questions.0.notes"),
    (file_of([question(keyPoints=["x" * 501])]), "questions.0.keyPoints.0"),
    (file_of([question(followUps=["x"] * 21)]), "questions.0.followUps"),
    (file_of([question(category="x" * 61)]), "questions.0.category"),
    (file_of([question(difficulty="deadly")]), "questions.0.difficulty"),
    (file_of([question(answer="\x00")]), "questions.0.answer"),
    (file_of([question(source="generated")]), "questions.0.source"),
    (file_of([{"answer": "no text"}]), "questions.0.text"),
    (file_of([question()] * (MOST_QUESTIONS + 1)), "questions"),
    ([file_of([])], "body"),
]


async def imported(http: httpx.AsyncClient, file: Document) -> Document:
    answer = await http.post(PATH, json=file)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def questions_of(http: httpx.AsyncClient, session: Document) -> list[Document]:
    items = (await http.get(f"/api/v1/sessions/{session['id']}/questions", params={"limit": 100})).json()["items"]
    return [{name: item[name] for name in SAID} for item in items]


async def nothing_is_stored(container: QaContainer) -> bool:
    db = container.resources.mongo.db
    names = ("sessions", "questions", "events", "outbox")
    return [await db[name].count_documents({}) for name in names] == [0, 0, 0, 0]


async def refused(http: httpx.AsyncClient, file: Any) -> set[str]:
    """The fields that the answer names."""
    answer = await http.post(PATH, json=file)
    assert answer.status_code == 422, answer.text
    assert all(error["message"] for error in answer.json()["errors"])
    return {error["field"] for error in answer.json()["errors"]}


async def test_a_session_comes_back_as_it_was_exported(http: httpx.AsyncClient, new_session: NewSession) -> None:
    session = await new_session(questions=5, pinned=2, title="Mine", topics=["Soup", "Bread"])
    shown = await http.get(f"{session['path']}/questions", params={"limit": 100})
    told = [{name: item[name] for name in ("id", *SAID)} for item in shown.json()["items"]]
    about = {name: session[name] for name in ("id", "createdAt", *DESCRIBED)}
    copy = await imported(http, {"schema": FORMAT, "session": about, "questions": told})
    assert {name: copy[name] for name in DESCRIBED} == {name: session[name] for name in DESCRIBED}
    assert (copy["questionCount"], copy["status"], copy["clonedFrom"]) == (5, "in-progress", None)
    assert await questions_of(http, copy) == await questions_of(http, session)
    assert copy["id"] != session["id"]
    assert copy["createdAt"] > session["createdAt"]
    assert (await http.get(f"/api/v1/sessions/{copy['id']}")).json() == copy


async def test_what_is_imported_is_ones_own(http: httpx.AsyncClient, new_person: NewPerson) -> None:
    copy = await imported(http, file_of([question()]))
    (item,) = (await http.get(f"/api/v1/sessions/{copy['id']}/questions")).json()["items"]
    assert (item["source"], item["model"], item["version"], item["isPinned"]) == ("custom", None, 1, False)
    assert item["id"] != question()["id"]
    other = await new_person()
    headers = {"Authorization": f"Bearer {other.tokens['accessToken']}"}
    assert (await http.get(f"/api/v1/sessions/{copy['id']}", headers=headers)).status_code == 404


async def test_an_import_is_told_of_like_a_session_with_added_questions(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    await imported(http, file_of([question(0), question(1, difficulty="easy")]))
    events = await container.resources.mongo.db.events.find().sort("_id").to_list()
    assert [event["type"] for event in events] == ["session.created", "questions.added"]
    assert events[1]["data"]["count"] == 2
    assert [group["difficulty"] for group in events[1]["data"]["groups"]] == ["easy", "hard"]


async def test_what_a_file_leaves_out_is_as_in_a_question_that_is_typed(http: httpx.AsyncClient) -> None:
    copy = await imported(http, file_of([{"text": " Why? "}]))
    left = {"answer": "", "difficulty": "medium", "category": "General", "keyPoints": [], "followUps": []}
    assert await questions_of(http, copy) == [{"text": "Why?", **left, "isPinned": False, "notes": ""}]
    empty = await imported(http, file_of([]))
    assert (empty["questionCount"], empty["status"]) == (0, "pending")


async def test_a_file_that_is_wrong_is_refused_with_its_field_and_nothing_is_kept(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    found = [await refused(http, file) for file, _ in WRONG]
    assert found == [{field} for _, field in WRONG]
    assert await nothing_is_stored(container)


async def test_a_heap_of_wrong_fields_is_answered_with_few_messages(http: httpx.AsyncClient) -> None:
    heap = dict.fromkeys(map(str, range(20_000)), 1)
    for file in (heap, {**file_of([]), "session": heap}, file_of([heap]), file_of([{"a": 1}] * 2_000)):
        answer = await http.post(PATH, json=file)
        assert (answer.status_code, len(answer.content) < 5_000) == (422, True)


async def test_a_large_session_is_imported_in_its_order(http: httpx.AsyncClient, container: QaContainer) -> None:
    large = [question(number, isPinned=number < 3) for number in range(500)]
    copy = await imported(http, file_of(large))
    assert copy["questionCount"] == 500
    found = await container.resources.mongo.db.questions.find().sort([("isPinned", -1), ("_id", -1)]).to_list()
    assert [one["text"] for one in found] == [one["text"] for one in large]


async def test_a_file_above_the_limit_is_413_and_one_above_that_of_other_routes_is_read(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    body = json.dumps(file_of([question()])).encode()
    headers = {"Content-Type": "application/json"}
    limit = 8 * 1_048_576
    assert (await http.post(PATH, content=body.ljust(limit + 1), headers=headers)).status_code == 413
    assert await nothing_is_stored(container)
    assert (await http.post(PATH, content=body.ljust(limit), headers=headers)).status_code == 201
    assert (await http.post("/api/v1/sessions", content=body.ljust(limit), headers=headers)).status_code == 413


@pytest.mark.spoils_database
async def test_when_the_questions_cannot_be_stored_there_is_no_session_either(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    await container.resources.mongo.db.command(
        "collMod", "questions", validator={"text": {"$ne": "Question 1?"}}, validationLevel="strict"
    )
    answer = await http.post(PATH, json=file_of([question(0), question(1)]))
    assert answer.status_code == 500
    assert await nothing_is_stored(container)


async def test_an_import_that_is_sent_again_with_its_key_is_made_once(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    answers = [
        await http.post(PATH, json=file_of([question(0), question(1)]), headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert await container.resources.mongo.db.questions.count_documents({}) == 2


async def test_imports_are_limited(
    http: httpx.AsyncClient, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container.resources.limits, "_scale", 0.1)
    answers = [(await http.post(PATH, json=file_of([]))).status_code for _ in range(3)]
    assert answers == [201, 201, 429]


def limits(schema: Document, root: Document) -> Any:
    """What a schema asks of each field, without titles, defaults and examples."""
    if "$ref" in schema:
        return limits(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    kept: Document = {name: schema[name] for name in LIMITS if name in schema}
    if "anyOf" in schema:
        kept["anyOf"] = [limits(option, root) for option in schema["anyOf"]]
    if "items" in schema:
        kept["items"] = limits(schema["items"], root)
    if "properties" in schema:
        kept["properties"] = {name: limits(field, root) for name, field in schema["properties"].items()}
        assert schema["additionalProperties"] is False
    return kept


def test_the_published_schema_says_what_is_taken() -> None:
    published = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(published)
    ours = SessionImport.model_json_schema()
    assert limits(published, published) == limits(ours, ours)
    assert published["properties"]["schema"]["const"] == FORMAT
    assert published["properties"]["questions"]["maxItems"] == MOST_QUESTIONS
