"""Another's things are not there: 404 on every route, and nothing of them changes."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from fastapi import FastAPI

from intervai_shared.models import Document, utc_now
from intervai_shared.testing import NewPerson, Person, running
from qa_service.app import create_app
from qa_service.collections.schemas import NewCollection
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion
from qa_service.settings import QaSettings
from qa_service.shares.schemas import NewShare
from qa_service.templates.schemas import NewTemplate

Call = Callable[..., Awaitable[Any]]
BODIES = {"text": "Mine?", "count": 1, "role": "Thief", "notes": "Mine", "ids": ["f" * 24], "name": "Mine"}
COLLECTIONS = ("sessions", "questions", "jobs", "templates", "shares", "resumes", "collections", "outbox", "events")
#: Who has a token may look: tests/shares and tests/templates say at what. What one has practised must be there first:
#: tests/security/test_idor.py walks that.
ELSEWHERE = re.compile("{token}|/attempts|/draft|/interviews|/reviews")
#: What the owner is told where there is nothing yet.
NOTHING_YET = {
    "post /api/v1/questions/{question_id}/redo": 409,
    "get /api/v1/questions/{question_id}/explanation": 404,
    "get /api/v1/analytics/sessions/{session_id}": 404,
}


def routes(app: FastAPI) -> list[tuple[str, str, Document]]:
    """Method, path and a fitting body of each route on a thing that somebody owns."""
    found = []
    spec = app.openapi()
    for path, methods in spec["paths"].items():
        for method, described in methods.items():
            if "{" in path and path.startswith("/api/") and not ELSEWHERE.search(path):
                found.append((method, path, _body(spec, described)))
    return found


def _when(route: tuple[str, str, Document]) -> tuple[bool, bool, bool, int, str]:
    """Deletions last, of what lies in another thing first; what needs an open session after it was archived and
    restored."""
    method, path, _ = route
    depth = -path.count("/") if method == "delete" else 0
    return method == "delete", not path.endswith("/archive"), not path.endswith("/restore"), depth, path


def _body(spec: Document, described: Document) -> Document:
    if "requestBody" not in described:
        return {}
    name = described["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = spec["components"]["schemas"][name]["properties"]
    return {field: value for field, value in BODIES.items() if field in fields}


@pytest.fixture
async def owned(container: QaContainer, person: Person, start: Call) -> dict[str, ObjectId]:
    """A session of the person, with a question, a job and a link; a template and a résumé."""
    session = await start(person.id)
    question = await container.questions.add(person.id, session["_id"], NewQuestion(text="Why?"))
    template = await container.templates.add(person.id, NewTemplate(name="T", role="R", experience="E", topics=[]))
    resume = {"_id": ObjectId(), "user": person.id, "state": "ready", "text": "Ada", "characters": 3, "sizeBytes": 3}
    times = {"createdAt": utc_now(), "updatedAt": utc_now()}
    file = {"fileName": "cv", "contentType": "text/plain"}
    await container.resources.mongo.db.resumes.insert_one({**resume, **file, **times})
    return {
        "session_id": session["_id"],
        "question_id": question["_id"],
        "job_id": session["generation"]["jobId"],
        "share_id": (await container.shares.add(person.id, session["_id"], NewShare()))["_id"],
        "template_id": template["_id"],
        "resume_id": resume["_id"],
        "collection_id": await _collection(container, person.id, question["_id"]),
    }


async def _collection(container: QaContainer, owner: ObjectId, question_id: ObjectId) -> ObjectId:
    made = await container.collections.make(owner, NewCollection(name="Mine"))
    await container.collections.collect(owner, made["_id"], [question_id])
    return ObjectId(made["_id"])


async def test_a_stranger_finds_nothing_on_any_route_and_changes_nothing(
    settings: QaSettings, container: QaContainer, owned: dict[str, ObjectId], new_person: NewPerson
) -> None:
    db, app = container.resources.mongo.db, create_app()
    before = [await db[name].find().to_list() for name in COLLECTIONS]
    asked = routes(app)
    async with running(app, (await new_person()).tokens["accessToken"]) as stranger:
        for method, path, body in asked:
            real = re.sub(r"\{(\w+)\}", lambda found: str(owned[found[1]]), path)
            answer = await stranger.request(method, real, json=body or None)
            assert answer.status_code == 404, (method, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await stranger.get("/api/v1/sessions")).json()["items"] == []
    assert [await db[name].find().to_list() for name in COLLECTIONS] == before
    assert len(asked) >= 27


async def test_the_owner_finds_the_same_things(
    settings: QaSettings, owned: dict[str, ObjectId], person: Person
) -> None:
    app = create_app()
    async with running(app, person.tokens["accessToken"]) as owner:
        for method, path, body in sorted(routes(app), key=_when):
            if path.endswith("/events"):
                continue  # a stream of a job that waits does not end
            real = re.sub(r"\{(\w+)\}", lambda found: str(owned[found[1]]), path)
            answer = await owner.request(method, real, json=body or None)
            expected = NOTHING_YET.get(f"{method} {path}", answer.status_code)
            assert answer.status_code == expected, (method, path, answer.text)
            assert answer.status_code < 300 or f"{method} {path}" in NOTHING_YET, (method, path, answer.text)
