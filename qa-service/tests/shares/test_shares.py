"""Links that show a session to whoever has them: read-only, revocable, for a time, and of nobody."""

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import CapturingLogger

from intervai_shared.models import Document
from intervai_shared.testing import Person, running
from qa_service.app import create_app
from qa_service.container import QaContainer
from qa_service.shares import service

DAY = timedelta(days=1)
NewShare = Callable[..., Awaitable[Document]]


@pytest.fixture
async def session(http: httpx.AsyncClient) -> Document:
    """A session with two questions, of which the second is pinned."""
    body = {"role": "Cook", "experience": "junior", "topics": ["Soup"], "jobDescription": "Secret.", "generate": False}
    session = (await http.post("/api/v1/sessions", json=body)).json()
    path = f"/api/v1/sessions/{session['id']}"
    for number in range(2):
        one = {"text": f"Question {number}?", "answer": f"Answer {number}.", "keyPoints": ["k"], "notes": "my note"}
        question = (await http.post(f"{path}/questions", json=one)).json()
    await http.patch(f"/api/v1/questions/{question['id']}", json={"isPinned": True})
    return {**session, "path": path}


@pytest.fixture
def new_share(http: httpx.AsyncClient, session: Document) -> NewShare:
    async def make(**wanted: Any) -> Document:
        answer = await http.post(f"{session['path']}/shares", json=wanted)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return {**answer.json(), "path": f"{session['path']}/shares/{answer.json()['id']}"}

    return make


@pytest.fixture
def anybody(api: tuple[FastAPI, httpx.AsyncClient]) -> httpx.AsyncClient:
    """A client without a token."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(api[0]), base_url="http://test")


async def test_a_link_shows_the_session_to_anybody_and_nothing_of_whose_it_is(
    anybody: httpx.AsyncClient, new_share: NewShare, session: Document, person: Person
) -> None:
    share = await new_share()
    assert abs(datetime.fromisoformat(share["expiresAt"]) - datetime.now(UTC) - 7 * DAY) < timedelta(minutes=1)
    answer = await anybody.get(share["url"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "public, max-age=0, s-maxage=30, must-revalidate"
    assert answer.headers["x-robots-tag"] == "noindex"
    same = await anybody.get(share["url"], headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    content = {"difficulty": "medium", "category": "General", "keyPoints": ["k"], "followUps": []}
    assert answer.json() == {
        "title": session["title"],
        "role": "Cook",
        "experience": "junior",
        "topics": ["Soup"],
        "expiresAt": share["expiresAt"],
        "questions": [{"text": f"Question {n}?", "answer": f"Answer {n}.", **content} for n in (1, 0)],
    }
    for secret in (str(person.id), person.email, "my note", "Secret.", session["id"]):
        assert secret not in answer.text


async def test_a_link_shows_notes_and_answers_as_its_maker_wanted(
    anybody: httpx.AsyncClient, new_share: NewShare
) -> None:
    shown = {}
    for wanted in ({"withNotes": True}, {"withAnswers": False}, {"withAnswers": False, "withNotes": True}):
        answer = await anybody.get((await new_share(**wanted))["url"])
        shown[json.dumps(wanted)] = set(answer.json()["questions"][0]) - {"text", "difficulty", "category"}
    answers = {"answer", "keyPoints", "followUps"}
    assert list(shown.values()) == [answers | {"notes"}, set(), {"notes"}]


async def test_a_link_that_is_wrong_revoked_expired_or_without_its_session_is_the_same_404(
    anybody: httpx.AsyncClient,
    http: httpx.AsyncClient,
    new_share: NewShare,
    session: Document,
    container: QaContainer,
) -> None:
    shares, answers = container.resources.mongo.db.shares, [await anybody.get("/api/v1/shared/sessions/" + "x" * 43)]
    revoked, expired, last = [await new_share() for _ in range(3)]
    assert (await http.delete(revoked["path"])).status_code == 204
    assert (await http.delete(revoked["path"])).status_code == 404
    answers += [await anybody.get(revoked["url"])]
    past = datetime.now(UTC) - timedelta(seconds=1)
    await shares.update_one({"views": 0, "expiresAt": {"$gt": past}}, {"$set": {"expiresAt": past}})
    answers += [await anybody.get(expired["url"])]
    assert (await anybody.get(last["url"])).status_code == 200
    assert (await http.delete(session["path"])).status_code == 204
    answers += [await anybody.get(last["url"])]
    varying = {"instance", "requestId"}
    told = [{key: value for key, value in answer.json().items() if key not in varying} for answer in answers]
    assert told == [told[0]] * 4
    assert told[0]["status"] == 404
    assert await shares.count_documents({}) == 0


async def test_the_maker_sees_the_links_and_their_views_but_no_token(
    anybody: httpx.AsyncClient, http: httpx.AsyncClient, new_share: NewShare, session: Document
) -> None:
    old, new = [await new_share(expiresInHours=hours, withNotes=hours == 2) for hours in (1, 2)]
    for _ in range(3):
        await anybody.get(old["url"])
    listed = (await http.get(f"{session['path']}/shares")).json()
    assert [(share["id"], share["views"]) for share in listed["items"]] == [(new["id"], 0), (old["id"], 3)]
    assert [share["withNotes"] for share in listed["items"]] == [True, False]
    assert old["token"] not in json.dumps(listed)
    assert listed["items"][0].keys() == new.keys() - {"token", "url", "path"}


async def test_a_token_is_stored_as_its_hash_only_and_never_logged(
    anybody: httpx.AsyncClient,
    http: httpx.AsyncClient,
    session: Document,
    container: QaContainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, key = CapturingLogger(), {"Idempotency-Key": "k"}
    monkeypatch.setattr("intervai_shared.http.context.log", written)
    made = await http.post(f"{session['path']}/shares", json={}, headers=key)
    token = made.json()["token"]
    assert (await anybody.get(made.json()["url"])).status_code == 200
    db = container.resources.mongo.db
    kept = [str(await db[name].find().to_list()) for name in ("shares", "idempotency_keys", "outbox", "events")]
    assert token not in "".join(kept)
    assert "/api/v1/shared/sessions/[redacted]" in [call.kwargs["path"] for call in written.calls]
    assert token not in str(written.calls)
    assert (await http.post(f"{session['path']}/shares", json={}, headers=key)).status_code == 409
    assert await db.shares.count_documents({}) == 1


async def test_no_link_works_for_longer_than_ninety_days(http: httpx.AsyncClient, session: Document) -> None:
    for hours, status in ((0, 422), (90 * 24 + 1, 422), (90 * 24, 201)):
        answer = await http.post(f"{session['path']}/shares", json={"expiresInHours": hours})
        assert answer.status_code == status


async def test_a_session_has_only_so_many_links(
    http: httpx.AsyncClient, new_share: NewShare, session: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_LINKS", 2)
    first, _ = await new_share(), await new_share()
    assert (await http.post(f"{session['path']}/shares", json={})).status_code == 409
    await http.delete(first["path"])
    await new_share()


@pytest.mark.usefixtures("own_database")
async def test_whoever_tries_links_out_is_slowed_down_by_address(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE_LIMIT_SCALE", "1")
    monkeypatch.setenv("RATE_LIMIT_SHARED", "3/hour")
    here, there = ({"X-Forwarded-For": f"203.0.113.{secrets.randbelow(25)}{end}"} for end in (0, 1))
    async with running(create_app()) as anybody:
        tried = [await anybody.get(f"/api/v1/shared/sessions/{n}", headers=here) for n in range(4)]
        elsewhere = await anybody.get("/api/v1/shared/sessions/5", headers=there)
    assert [answer.status_code for answer in tried] == [404, 404, 404, 429]
    assert "retry-after" in tried[-1].headers
    assert elsewhere.status_code == 404
