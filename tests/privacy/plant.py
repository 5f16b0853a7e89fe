"""A person who has written something of their own into every place that takes it."""

import asyncio
import os
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from bson import ObjectId
from pymongo import MongoClient

from intervai_shared.testing import Person
from tests.e2e.support import export_file, upload_resume, wait_for_job

PATIENCE_SECONDS = 60
PASSWORD = "correct horse battery"


@dataclass
class Planted:
    """`canaries`: what was written, by where. Each is a text that stands nowhere else."""

    person: Person
    canaries: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def canary(self, where: str) -> str:
        self.canaries[where] = f"canary-{secrets.token_hex(8)}"
        return self.canaries[where]


async def plant(gateway: httpx.AsyncClient) -> Planted:
    """Registers somebody and has them use everything."""
    planted = await _registered(gateway)
    await _logged_in_again(planted, gateway)
    await _profile(planted)
    await _avatar(planted)
    session = await _session(planted)
    await _question(planted, session)
    await _practice(planted, session)
    await _collection(planted)
    await _template(planted)
    await _resume(planted)
    await _export(planted, session)
    _dead_letter(planted)
    return planted


async def _registered(gateway: httpx.AsyncClient) -> Planted:
    email, agent = f"canary-{secrets.token_hex(8)}@example.com", f"canary-{secrets.token_hex(8)}"
    name = f"canary-{secrets.token_hex(8)}"
    body = {"email": email, "password": PASSWORD, "fullName": name}
    answer = await gateway.post("/api/v1/auth/register", json=body, headers={"User-Agent": agent})
    assert answer.status_code == 201, answer.text
    tokens = answer.json()
    headers = {"Authorization": f"Bearer {tokens['accessToken']}", "User-Agent": agent}
    http = httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=20, verify=False)  # noqa: S501  plain HTTP here
    person = Person(ObjectId(tokens["user"]["id"]), email, http, tokens)
    return Planted(person, {"e-mail": email, "user agent": agent, "full name": name})


async def _logged_in_again(planted: Planted, gateway: httpx.AsyncClient) -> None:
    body = {"email": planted.person.email, "password": PASSWORD}
    agent = {"User-Agent": planted.canary("user agent of another device")}
    answer = await gateway.post("/api/v1/auth/login", json=body, headers=agent)
    assert answer.status_code == 200, answer.text


async def _profile(planted: Planted) -> None:
    await until(planted.person.http, "/api/v1/users/me", lambda answer: answer.status_code == 200)
    change = {"headline": planted.canary("headline"), "targetRole": planted.canary("target role")}
    answer = await planted.person.http.patch("/api/v1/users/me", json=change)
    assert answer.status_code == 200, answer.text
    assert (await planted.person.http.get("/api/v1/users/me")).json()["headline"] == change["headline"]


async def _avatar(planted: Planted) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + planted.canary("avatar").encode()
    body = {"contentType": "image/png", "sizeBytes": len(picture)}
    for _ in ("the avatar", "an upload that nobody has chosen"):
        started = (await planted.person.http.post("/api/v1/users/me/avatar", json=body)).json()
        async with httpx.AsyncClient() as anybody:
            form = started["fields"]
            uploaded = await anybody.post(started["url"], data=form, files={"file": ("a.png", picture, "image/png")})
        assert uploaded.status_code in {200, 204}, uploaded.text
        if "avatar" not in planted.ids:
            chosen = await planted.person.http.put("/api/v1/users/me/avatar", json={"uploadId": started["uploadId"]})
            assert chosen.status_code == 200, chosen.text
            planted.ids["avatar"] = started["uploadId"]


async def _session(planted: Planted) -> str:
    body = {
        "role": planted.canary("role"),
        "experience": planted.canary("experience"),
        "topics": [planted.canary("topic"), "SQL"],
        "title": planted.canary("title"),
        "jobDescription": planted.canary("job description"),
        "questionCount": 3,
    }
    key = {"Idempotency-Key": secrets.token_hex(8)}
    answer = await planted.person.http.post("/api/v1/sessions", json=body, headers=key)
    assert answer.status_code == 201, answer.text
    await wait_for_job(planted.person, answer.json()["generation"]["jobId"])
    planted.ids["job"] = answer.json()["generation"]["jobId"]
    return str(answer.json()["id"])


async def _question(planted: Planted, session: str) -> None:
    body = {name: planted.canary(f"question {name}") for name in ("text", "answer", "category", "notes")}
    points = {name: [planted.canary(f"question {name}")] for name in ("keyPoints", "followUps")}
    answer = await planted.person.http.post(f"/api/v1/sessions/{session}/questions", json={**body, **points})
    assert answer.status_code == 201, answer.text
    notes = {"notes": planted.canary("changed notes")}
    planted.canaries.pop("question notes")
    changed = await planted.person.http.patch(f"/api/v1/questions/{answer.json()['id']}", json=notes)
    assert changed.status_code == 200, changed.text


async def _practice(planted: Planted, session: str) -> None:
    http = planted.person.http
    question = (await http.get(f"/api/v1/sessions/{session}/questions")).json()["items"][0]["id"]
    answered = await http.post(f"/api/v1/questions/{question}/attempts", json={"answer": planted.canary("attempt")})
    assert answered.status_code == 202, answered.text
    await wait_for_job(planted.person, answered.json()["jobId"])
    drafted = await http.put(f"/api/v1/questions/{question}/draft", json={"answer": planted.canary("draft")})
    assert drafted.status_code == 200, drafted.text
    rated = await http.post(f"/api/v1/reviews/{question}", json={"rating": "good"})
    assert rated.status_code == 200, rated.text
    interview = (await http.post(f"/api/v1/sessions/{session}/interviews", json={"questionCount": 1})).json()
    given = {"questionId": interview["question"]["questionId"], "answer": planted.canary("answer in an interview")}
    ended = await http.post(f"/api/v1/interviews/{interview['id']}/answers", json=given)
    await wait_for_job(planted.person, ended.json()["reportJobId"])


async def _collection(planted: Planted) -> None:
    body = {name: planted.canary(f"collection {name}") for name in ("name", "description")}
    answer = await planted.person.http.post("/api/v1/collections", json=body)
    assert answer.status_code == 201, answer.text


async def _template(planted: Planted) -> None:
    fields = ("name", "role", "experience", "jobDescription")
    body = {name: planted.canary(f"template {name}") for name in fields}
    topics = {"topics": [planted.canary("template topic")]}
    answer = await planted.person.http.post("/api/v1/templates", json={**body, **topics})
    assert answer.status_code == 201, answer.text


async def _resume(planted: Planted) -> None:
    text = planted.canary("résumé").encode()
    resume = await upload_resume(planted.person, text, planted.canary("name of a résumé"))
    read = await planted.person.http.post("/api/v1/resumes", json={"uploadId": resume})
    assert (await wait_for_job(planted.person, read.json()["jobId"]))["status"] == "succeeded"
    unread = planted.canary("résumé that is not read").encode()
    await upload_resume(planted.person, unread, planted.canary("name of a résumé that is not read"))


async def _export(planted: Planted, session: str) -> None:
    for kind in ("md", "json"):
        _, file = await export_file(planted.person, session, kind)
        assert planted.canaries["changed notes"].encode() in file


def _dead_letter(planted: Planted) -> None:
    """What a worker leaves behind that gave an event, and a job, of the person up."""
    user = str(planted.person.id)
    event = {"id": str(ObjectId()), "type": "user.registered", "aggregate": "user", "aggregateId": user,
             "data": {"email": planted.canary("dead letter")}}  # fmt: skip
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        client.intervai_user.dead_letters.insert_one(_letter("events", [event]))
        job = _letter("generation", [planted.ids["job"]], error=planted.canary("error of a dead letter"))
        client.intervai_qa.dead_letters.insert_one(job)


def _letter(queue: str, args: list[Any], error: str = "no") -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "_id": ObjectId(), "queue": queue, "actor": "any", "args": args, "records": None, "reason": "failed",
        "error": error, "traceback": None, "retries": 3, "trace": {}, "state": "dead", "sentAt": now, "diedAt": now,
        "closedAt": None,
    }  # fmt: skip


async def until(http: httpx.AsyncClient, path: str, holds: Any, patience: float = PATIENCE_SECONDS) -> httpx.Response:
    """The answer when it is as it should be."""
    deadline = time.monotonic() + patience
    while True:
        answer = await http.get(path)
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.1)
