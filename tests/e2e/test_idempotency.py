"""`Idempotency-Key`, through the gateway: what is sent twice happens once, on every POST that makes something."""

import asyncio
from typing import Any

import httpx

from intervai_shared.testing import Person
from tests.e2e.support import wait_for_job

SESSION = {"role": "Backend engineer", "experience": "senior", "topics": ["Python"], "questionCount": 2}


async def twice(person: Person, path: str, body: dict[str, Any], key: str) -> tuple[httpx.Response, httpx.Response]:
    """The answers to a request and to its repetition, the second with a body of the same bytes."""
    first = await person.http.post(path, json=body, headers={"Idempotency-Key": key})
    assert first.status_code < 300, first.text
    return first, await person.http.post(path, json=body, headers={"Idempotency-Key": key})


async def test_every_post_that_makes_something_is_done_once_for_a_key(person: Person) -> None:
    first, again = await twice(person, "/api/v1/sessions", SESSION, "session")
    assert again.content == first.content
    session = first.json()
    await wait_for_job(person, session["generation"]["jobId"])

    posts = {
        f"/api/v1/sessions/{session['id']}/questions": {"text": "Why?"},
        f"/api/v1/sessions/{session['id']}/generations": {"count": 1},
        "/api/v1/exports": {"sessionId": session["id"], "format": "md"},
    }
    for path, body in posts.items():
        one, other = await twice(person, path, body, "same-key-on-each-path")
        assert (other.status_code, other.content) == (one.status_code, one.content), path
        if "jobId" in one.json():
            await wait_for_job(person, one.json()["jobId"])

    assert len((await person.http.get("/api/v1/sessions")).json()["items"]) == 1
    assert len((await person.http.get("/api/v1/exports")).json()["items"]) == 1
    questions = (await person.http.get(f"/api/v1/sessions/{session['id']}/questions?limit=100")).json()["items"]
    assert len(questions) == 2 + 1 + 1


async def test_racing_clients_make_one_session(person: Person) -> None:
    headers = {"Idempotency-Key": "race"}
    answers = await asyncio.gather(
        *(person.http.post("/api/v1/sessions", json=SESSION, headers=headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len((await person.http.get("/api/v1/sessions")).json()["items"]) == 1


async def test_a_key_stands_for_one_body(person: Person) -> None:
    headers = {"Idempotency-Key": "body"}
    assert (await person.http.post("/api/v1/sessions", json=SESSION, headers=headers)).status_code == 201
    other = await person.http.post("/api/v1/sessions", json={**SESSION, "role": "Cook"}, headers=headers)
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
