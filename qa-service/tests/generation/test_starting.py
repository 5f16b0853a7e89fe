"""Starting a session or a generation: all of it is written, or nothing."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer

Call = Callable[..., Awaitable[Any]]
BODY = {"role": "Backend engineer", "experience": "senior", "topics": ["SQL", "Go"], "questionCount": 7}
WRITTEN = ("sessions", "jobs", "outbox", "events")


async def stored(container: QaContainer, collection: str) -> list[Document]:
    return await container.resources.mongo.db[collection].find().to_list()


async def test_a_session_comes_with_its_job_its_message_and_its_event(
    http: httpx.AsyncClient, container: QaContainer, person: Person
) -> None:
    answer = await http.post("/api/v1/sessions", json=BODY)
    assert answer.status_code == 201
    [session] = await stored(container, "sessions")
    [job] = await stored(container, "jobs")
    [event] = await stored(container, "events")
    assert answer.json()["id"] == str(session["_id"])
    assert answer.json()["generation"] == {"jobId": str(job["_id"]), "status": "queued"}
    assert session["user"] == job["user"] == person.id
    assert (job["session"], job["count"]) == (session["_id"], 7)
    assert (event["type"], event["aggregateId"]) == ("session.created", session["_id"])
    assert event["data"] == {"user": str(person.id), "role": "Backend engineer", "topics": ["SQL", "Go"]}
    told, queued = sorted(await stored(container, "outbox"), key=lambda message: message["kind"])
    assert told["eventId"] == event["_id"]
    assert (queued["name"], queued["queue"], queued["args"]) == ("do_job", "generation", [str(job["_id"])])
    assert (told["state"], queued["state"]) == ("pending", "pending")


@pytest.mark.parametrize("last", [("_sessions", "insert"), ("_outbox", "add_event"), ("_outbox", "add_job")])
async def test_a_failure_while_a_session_is_written_leaves_nothing(
    last: tuple[str, str], container: QaContainer, start: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = getattr(container.sessions, last[0])
    write = getattr(part, last[1])

    async def fails(*args: Any, **options: Any) -> None:
        await write(*args, **options)
        raise ConnectionError

    monkeypatch.setattr(part, last[1], fails)
    with pytest.raises(ConnectionError):
        await start()
    assert {name: await stored(container, name) for name in WRITTEN} == {name: [] for name in WRITTEN}


async def test_a_failure_while_a_generation_is_written_leaves_no_job(
    container: QaContainer, start: Call, more: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError

    session = await start(generate=False)
    monkeypatch.setattr(container.resources.outbox, "add_job", fails)
    with pytest.raises(ConnectionError):
        await more(session)
    assert await stored(container, "jobs") == []


async def test_a_session_without_generation_has_no_job(http: httpx.AsyncClient, container: QaContainer) -> None:
    answer = await http.post("/api/v1/sessions", json={**BODY, "generate": False})
    assert answer.json()["generation"] is None
    assert await stored(container, "jobs") == []
    assert [message["kind"] for message in await stored(container, "outbox")] == ["event"]


async def test_a_session_has_a_title_of_its_own_or_of_the_role(http: httpx.AsyncClient) -> None:
    titles = [
        (await http.post("/api/v1/sessions", json={**BODY, "generate": False, **more})).json()["title"]
        for more in ({}, {"title": "  My big day "})
    ]
    assert titles == ["Backend engineer (senior)", "My big day"]


BAD_SESSIONS: dict[str, Document] = {
    "no role": {"role": " "},
    "a role too long": {"role": "x" * 121},
    "no list of topics": {"topics": "SQL"},
    "an empty topic": {"topics": ["SQL", ""]},
    "too many topics": {"topics": ["SQL"] * 21},
    "no questions": {"questionCount": 0},
    "too many questions": {"questionCount": 51},
    "a field nobody knows": {"topic": "SQL"},
    "a NUL": {"jobDescription": "a\x00b"},
    "half a character": {"topics": ["\ud800"]},
}


async def test_a_wrong_session_is_refused_by_the_name_of_its_field(
    http: httpx.AsyncClient, container: QaContainer
) -> None:
    for name, wrong in BAD_SESSIONS.items():
        content = json.dumps({**BODY, **wrong})  # in ASCII: httpx itself refuses half a character
        answer = await http.post("/api/v1/sessions", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, name
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["field"].split(".")[0] for error in answer.json()["errors"]] == list(wrong)
    assert await stored(container, "sessions") == []


async def test_more_questions_are_a_job_of_what_was_asked(
    http: httpx.AsyncClient, container: QaContainer, person: Person, start: Call
) -> None:
    session = await start(person.id, generate=False)
    wanted = {"count": 4, "difficulty": "hard", "topics": ["Go"]}
    answer = await http.post(f"/api/v1/sessions/{session['_id']}/generations", json=wanted)
    [job] = await stored(container, "jobs")
    assert (answer.status_code, answer.json()) == (202, {"jobId": str(job["_id"]), "status": "queued"})
    assert {name: job[name] for name in wanted} == wanted
    assert job["session"] == session["_id"]


async def test_a_cancelled_session_gets_no_more_questions(
    http: httpx.AsyncClient, container: QaContainer, person: Person, start: Call
) -> None:
    session = await start(person.id, generate=False)
    path = f"/api/v1/sessions/{session['_id']}"
    assert (await http.patch(path, json={"status": "cancelled"})).status_code == 200
    refused = await http.post(f"{path}/generations", json={})
    assert (refused.status_code, refused.json()["detail"]) == (409, "The session has been cancelled.")
    assert await stored(container, "jobs") == []
    assert (await http.patch(path, json={"status": "in-progress"})).status_code == 200
    assert (await http.post(f"{path}/generations", json={})).status_code == 202


@pytest.fixture
def few_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_SCALE", "1")
    monkeypatch.setenv("RATE_LIMIT_GENERATION", "2/hour")


async def test_the_generations_of_a_person_are_limited_however_they_are_started(
    few_generations: None, http: httpx.AsyncClient, container: QaContainer
) -> None:
    session = (await http.post("/api/v1/sessions", json=BODY)).json()
    path = f"/api/v1/sessions/{session['id']}/generations"
    assert (await http.post(path, json={"count": 1})).status_code == 202
    for refused in (await http.post(path, json={"count": 1}), await http.post("/api/v1/sessions", json=BODY)):
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 3000
    assert len(await stored(container, "jobs")) == 2
    assert len(await stored(container, "sessions")) == 1
    free = await http.post("/api/v1/sessions", json={**BODY, "generate": False})
    assert free.status_code == 201


async def test_an_unknown_session_uses_up_nothing(
    few_generations: None, container: QaContainer, http: httpx.AsyncClient
) -> None:
    for _ in range(3):
        answer = await http.post(f"/api/v1/sessions/{ObjectId()}/generations", json={})
        assert answer.status_code == 404


async def test_past_the_length_of_the_queue_nothing_more_is_promised(
    http: httpx.AsyncClient, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = container.generation._jobs
    few = starter._settings.model_copy(update={"queue_limit_generation": 1})
    monkeypatch.setattr(starter, "_settings", few)
    await container.resources.mongo.db.outbox.insert_one({"state": "pending", "queue": "generation"})
    answer = await http.post("/api/v1/sessions", json=BODY)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
    assert (await http.post("/api/v1/sessions", json={**BODY, "generate": False})).status_code == 201
    assert await stored(container, "jobs") == []
