"""Another's things are not there: 404 on every route, and nothing of them changes."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from fastapi import FastAPI

from intervai_shared.models import Document
from intervai_shared.testing import NewPerson, Person, running
from qa_service.app import create_app
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
BODIES = {"text": "Mine?", "count": 1, "role": "Thief", "notes": "Mine"}
COLLECTIONS = ("sessions", "questions", "jobs", "outbox", "events")


def routes(app: FastAPI) -> list[tuple[str, str, Document]]:
    """Method, path and a fitting body of each route on a thing that somebody owns."""
    found = []
    spec = app.openapi()
    for path, methods in spec["paths"].items():
        for method, described in methods.items():
            if "{" in path and path.startswith("/api/"):
                found.append((method, path, _body(spec, described)))
    return found


def _body(spec: Document, described: Document) -> Document:
    if "requestBody" not in described:
        return {}
    name = described["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = spec["components"]["schemas"][name]["properties"]
    return {field: value for field, value in BODIES.items() if field in fields}


@pytest.fixture
async def owned(container: QaContainer, person: Person, start: Call) -> dict[str, ObjectId]:
    """A session of the person, with a question and a job."""
    session = await start(person.id)
    question = await container.questions.add(person.id, session["_id"], NewQuestion(text="Why?"))
    return {"session_id": session["_id"], "question_id": question["_id"], "job_id": session["generation"]["jobId"]}


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
    assert len(asked) == 12


async def test_the_owner_finds_the_same_things(
    settings: QaSettings, owned: dict[str, ObjectId], person: Person
) -> None:
    app = create_app()
    async with running(app, person.tokens["accessToken"]) as owner:
        for method, path, body in sorted(routes(app), key=lambda route: (route[0] == "delete", route[1])):
            if path.endswith("/events"):
                continue  # a stream of a job that waits does not end
            real = re.sub(r"\{(\w+)\}", lambda found: str(owned[found[1]]), path)
            answer = await owner.request(method, real, json=body or None)
            assert answer.status_code < 300, (method, path, answer.text)
