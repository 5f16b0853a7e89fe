"""Templates: recipes of sessions, private or handed on by a link."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from intervai_shared.models import Document
from intervai_shared.testing import NewPerson, Person
from qa_service.container import QaContainer
from qa_service.templates import service

PATH = "/api/v1/templates"
RECIPE: Document = {
    "name": "Backend, senior",
    "role": "Backend engineer",
    "experience": "senior",
    "topics": ["Python", "SQL"],
    "jobDescription": "Pays well.",
    "questionCount": 4,
    "difficulty": "hard",
    "quality": "high",
}
Tell = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def template(http: httpx.AsyncClient) -> Document:
    answer = await http.post(PATH, json=RECIPE)
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "path": f"{PATH}/{answer.json()['id']}"}


@pytest.fixture
async def stranger(api: tuple[FastAPI, httpx.AsyncClient], new_person: NewPerson) -> httpx.AsyncClient:
    """Another signed-in person's client of the same API."""
    headers = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(api[0]), base_url="http://test", headers=headers)


async def shared(http: httpx.AsyncClient, template: Document, **body: Any) -> Document:
    answer = await http.post(f"{template['path']}/share", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def test_a_template_is_kept_changed_and_deleted(http: httpx.AsyncClient, template: Document) -> None:
    path = template.pop("path")
    assert template.items() >= RECIPE.items()
    assert (await http.get(path)).json() == template
    assert (await http.get(PATH)).json() == {"items": [template], "nextCursor": None}
    change = {"name": "New", "jobDescription": None, "difficulty": None, "questionCount": 7}
    changed = (await http.patch(path, json=change)).json()
    assert changed == {**template, **change, "updatedAt": changed["updatedAt"]}
    assert (await http.patch(path, json={"role": None})).status_code == 422
    assert (await http.delete(path)).status_code == 204
    assert [(await http.get(path)).status_code, (await http.delete(path)).status_code] == [404, 404]


async def test_a_session_is_started_as_the_template_says(
    http: httpx.AsyncClient, template: Document, container: QaContainer
) -> None:
    answer = await http.post(f"{template['path']}/sessions")
    assert answer.status_code == 201, answer.text
    session = answer.json()
    assert (session["title"], session["role"], session["topics"]) == (RECIPE["name"], RECIPE["role"], RECIPE["topics"])
    assert session["jobDescription"] == "Pays well."
    job = (await http.get(f"/api/v1/jobs/{session['generation']['jobId']}")).json()
    assert job["kind"] == "generation"
    stored = await container.resources.mongo.db.jobs.find_one({}, {"_id": 0, "count": 1, "difficulty": 1, "quality": 1})
    assert stored == {"count": 4, "difficulty": "hard", "quality": "high"}


async def test_what_is_said_for_one_session_goes_before_the_template(
    http: httpx.AsyncClient, template: Document
) -> None:
    body = {"title": "Friday", "topics": ["Go"], "generate": False}
    session = (await http.post(f"{template['path']}/sessions", json=body)).json()
    assert (session["title"], session["topics"], session["role"]) == ("Friday", ["Go"], RECIPE["role"])
    assert session["generation"] is None
    assert (await http.get(template["path"])).json()["topics"] == RECIPE["topics"]


async def test_any_signed_in_person_may_read_a_shared_template_and_start_from_it(
    http: httpx.AsyncClient, template: Document, stranger: httpx.AsyncClient, person: Person
) -> None:
    link = await shared(http, template)
    week = datetime.now(UTC) + timedelta(days=7)
    assert abs(datetime.fromisoformat(link["expiresAt"]) - week) < timedelta(minutes=1)
    assert (await http.get(template["path"])).json()["sharedUntil"] == link["expiresAt"]
    seen = await stranger.get(link["url"])
    assert (seen.status_code, seen.json()) == (200, RECIPE)
    assert str(person.id) not in seen.text
    started = await stranger.post(f"{link['url']}/sessions", json={"generate": False})
    assert (started.status_code, started.json()["role"]) == (201, RECIPE["role"])
    assert (await stranger.get(f"/api/v1/sessions/{started.json()['id']}")).status_code == 200
    assert (await http.get("/api/v1/sessions")).json()["items"] == []
    assert (await stranger.get(template["path"])).status_code == 404
    stranger.headers.pop("Authorization")
    assert (await stranger.get(link["url"])).status_code == 401


async def test_a_link_that_was_revoked_replaced_or_has_expired_tells_no_more_than_one_that_never_was(
    http: httpx.AsyncClient, template: Document, container: QaContainer
) -> None:
    answers = []
    replaced = await shared(http, template)
    expired = await shared(http, template)
    answers += [await http.get(replaced["url"])]
    past = datetime.now(UTC) - timedelta(seconds=1)
    await container.resources.mongo.db.templates.update_one({}, {"$set": {"sharedUntil": past}})
    answers += [await http.get(expired["url"]), await http.post(f"{expired['url']}/sessions", json={})]
    revoked = await shared(http, template)
    assert (await http.get(revoked["url"])).status_code == 200
    assert (await http.delete(f"{template['path']}/share")).status_code == 204
    assert (await http.delete(f"{template['path']}/share")).status_code == 204
    answers += [await http.get(revoked["url"]), await http.get("/api/v1/shared/templates/x")]
    varying = {"instance", "requestId"}
    told = [{key: value for key, value in answer.json().items() if key not in varying} for answer in answers]
    assert told == [told[0]] * 5
    assert told[0]["status"] == 404


async def test_a_token_is_stored_as_its_hash_only_also_when_the_request_had_a_key(
    http: httpx.AsyncClient, template: Document, container: QaContainer
) -> None:
    key = {"Idempotency-Key": "k"}
    first = await http.post(f"{template['path']}/share", json={}, headers=key)
    token = first.json()["token"]
    assert len(token) >= 43
    db = container.resources.mongo.db
    kept = [str(await db[name].find().to_list()) for name in ("templates", "idempotency_keys", "outbox", "events")]
    assert token not in "".join(kept)
    again = await http.post(f"{template['path']}/share", json={}, headers=key)
    assert again.status_code == 409
    assert "only once" in again.json()["detail"]
    assert (await http.get(first.json()["url"])).status_code == 200


async def test_nobody_keeps_more_templates_than_there_is_room_for(
    http: httpx.AsyncClient, template: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_TEMPLATES", 1)
    assert (await http.post(PATH, json=RECIPE)).status_code == 409
