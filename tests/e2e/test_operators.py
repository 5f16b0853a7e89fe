"""What operators may do over the internal entry point, and nobody else."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from intervai_shared.testing import Person
from tests.e2e.routes import SERVICES
from tests.e2e.support import start_session, wait_for_job

As = Callable[[str, str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def signed_in_as() -> AsyncIterator[As]:
    """A client on the internal entry point, with a token of this client of auth-service for that service."""
    opened: list[httpx.AsyncClient] = []

    async def sign_in(client_id: str, audience: str) -> httpx.AsyncClient:
        base = os.environ["INTERNAL_GATEWAY_URL"]
        secret = json.loads(os.environ["SERVICE_CLIENTS"])[client_id]
        body = {"clientId": client_id, "clientSecret": secret, "audience": audience}
        async with httpx.AsyncClient() as nobody:
            answer = await nobody.post(f"{base}/auth-service/internal/token", json=body)
        headers = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        opened.append(httpx.AsyncClient(base_url=f"{base}/{audience}/internal", headers=headers))
        return opened[-1]

    yield sign_in
    for client in opened:
        await client.aclose()


@pytest.mark.parametrize("service", SERVICES)
async def test_only_operators_see_dead_letters(signed_in_as: As, person: Person, service: str) -> None:
    operator = await signed_in_as("operator", service)
    assert (await operator.get("/dead-letters")).status_code == 200
    sister = await signed_in_as("qa-service", service)
    refused = await sister.get("/dead-letters")
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert (await person.http.get("/internal/dead-letters")).status_code == 404
    path = f"{os.environ['INTERNAL_GATEWAY_URL']}/{service}/internal/dead-letters"
    assert (await person.http.get(path)).status_code == 401


async def test_an_operator_has_a_job_done_that_had_failed(signed_in_as: As, person: Person) -> None:
    session = await start_session(person, ["SQL"], 2)
    job = await wait_for_job(person, session["generation"]["jobId"])
    letter_id = await _as_if_it_had_failed(ObjectId(job["id"]))
    operator = await signed_in_as("operator", "qa-service")
    listed = (await operator.get("/dead-letters", params={"queue": "generation", "limit": 100})).json()["items"]
    assert letter_id in [letter["id"] for letter in listed]
    shown = (await operator.get(f"/dead-letters/{letter_id}")).json()
    assert (shown["error"], shown["trace"]["requestId"], shown["state"]) == ("as it is meant to", "request-1", "dead")
    assert (await operator.post(f"/dead-letters/{letter_id}/replay")).json()["state"] == "replayed"
    assert (await wait_for_job(person, job["id"]))["status"] == "succeeded"
    questions = (await person.http.get(f"/api/v1/sessions/{session['id']}/questions")).json()["items"]
    assert len(questions) == 2
    assert (await operator.post(f"/dead-letters/{letter_id}/replay")).status_code == 409
    assert (await operator.delete(f"/dead-letters/{letter_id}")).status_code == 409
    assert (await operator.delete(f"/dead-letters/{ObjectId()}")).status_code == 404


async def _as_if_it_had_failed(job_id: ObjectId) -> str:
    """What a worker leaves behind that gave the job up."""
    now = datetime.now(UTC)
    letter = {
        "_id": ObjectId(), "queue": "generation", "actor": "do_job", "args": [str(job_id)],
        "records": "jobs", "reason": "failed", "error": "as it is meant to", "traceback": None, "retries": 3,
        "trace": {"requestId": "request-1", "traceparent": ""}, "state": "dead",
        "sentAt": now, "diedAt": now, "closedAt": None,
    }  # fmt: skip
    async with AsyncMongoClient(os.environ["MONGO_URI"]) as client:
        db = client.intervai_qa
        failed = {"$set": {"status": "failed", "attempt": 3, "error": "no"}, "$unset": {"made": "", "told": ""}}
        await db.jobs.update_one({"_id": job_id}, failed)
        await db.questions.delete_many({"generation": job_id})
        await db.dead_letters.insert_one(letter)
    return str(letter["_id"])
