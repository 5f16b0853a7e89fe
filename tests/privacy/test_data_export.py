"""A person gets all that is held of them in one document, and no secret with it."""

import json
import os
from typing import Any

import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from intervai_shared.testing import Person
from tests.privacy.plant import Planted, plant, until

SERVICES = ["auth-service", "user-service", "qa-service", "export-service"]
#: Our own copies, and what is no text: the picture is behind `avatarUrl` of the profile.
NOT_IN_IT = {"dead letter", "error of a dead letter", "avatar", "résumé that is not read"}


async def data_of(planted: Planted) -> tuple[dict[str, Any], Any]:
    """How the file stands when it is ready, and what is in it."""
    ready = await until(planted.person.http, "/api/v1/users/me/data", lambda answer: answer.status_code == 200)
    async with httpx.AsyncClient() as anybody:
        file = await anybody.get(ready.json()["downloadUrl"])
    assert file.status_code == 200, file.text
    assert file.headers["content-type"] == "application/json"
    return ready.json(), file.text


async def test_one_document_holds_all_that_the_services_know_and_no_secret(gateway: httpx.AsyncClient) -> None:
    planted, other = await plant(gateway), await plant(gateway)
    began = await planted.person.http.get("/api/v1/users/me/data")
    assert began.status_code == 202
    assert began.json()["status"] == "queued"
    assert "downloadUrl" not in began.json()
    ready, text = await data_of(planted)
    assert ready["id"] == began.json()["id"]
    document = json.loads(text)
    assert list(document) == ["generatedAt", "user", "services"]
    assert document["user"] == str(planted.person.id)
    assert list(document["services"]) == SERVICES
    missing = {where for where, canary in planted.canaries.items() if canary not in text}
    assert missing == NOT_IN_IT
    assert [canary for canary in other.canaries.values() if canary in text] == []
    for secret in ("argon2", "passwordHash", "emailKey", *planted.person.tokens["refreshToken"].split(".")[::2]):
        assert secret not in text


async def test_a_person_with_very_many_questions_gets_each_of_them_once(person: Person) -> None:
    session = {"_id": ObjectId(), "user": person.id}
    questions = [
        {"_id": ObjectId(), "user": person.id, "session": session["_id"], "text": f"Why {n}?"} for n in range(1_001)
    ]
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as client:
        await client.intervai_qa.sessions.insert_one(session)
        await client.intervai_qa.questions.insert_many(questions)
    _, text = await data_of(Planted(person))
    held = json.loads(text)["services"]["qa-service"]["questions"]
    assert [question["text"] for question in held] == [question["text"] for question in questions]


@pytest.mark.parametrize("service", SERVICES)
async def test_only_the_service_that_gathers_them_is_told_of_peoples_data(person: Person, service: str) -> None:
    base, path = os.environ["INTERNAL_GATEWAY_URL"], f"/internal/users/{person.id}/data"
    async with httpx.AsyncClient(base_url=base) as client:
        answers = {}
        for name in ("user-service", "export-service"):
            secret = json.loads(os.environ["SERVICE_CLIENTS"])[name]
            body = {"clientId": name, "clientSecret": secret, "audience": service}
            token = (await client.post("/auth-service/internal/token", json=body)).json()["accessToken"]
            headers = {"Authorization": f"Bearer {token}"}
            answers[name] = (await client.get(f"/{service}{path}", headers=headers)).status_code
        assert answers == {"user-service": 200, "export-service": 403}
        own = await client.get(f"/{service}{path}", headers=dict(person.http.headers))
    assert own.status_code == 401
    assert (await person.http.get(path)).status_code == 404
