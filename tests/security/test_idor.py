"""Insecure direct object references (OWASP API1:2023): a stranger asks every route that takes an id, of all services,
with the ids of somebody else's things."""

import asyncio
from typing import Any

import httpx
import pytest

from intervai_shared.testing import NewPerson, Person
from tests.e2e.routes import Route, all_routes
from tests.e2e.support import export_file, start_session, upload_resume, wait_for_job

#: A body that each route accepts, so that what it then refuses is the id.
VALID_BODIES: dict[str, Any] = {
    "POST /api/v1/sessions/{session_id}/questions": {"text": "Why?"},
    "POST /api/v1/sessions/{session_id}/generations": {"count": 1},
    "POST /api/v1/collections/{collection_id}/questions": {"ids": ["665f1c2e9b1d8a0012345678"]},
    "POST /api/v1/questions/{question_id}/attempts": {"answer": "Because."},
    "PATCH /api/v1/collections/{collection_id}": {"name": "Mine"},
    "PUT /api/v1/questions/{question_id}/draft": {"answer": "Because."},
    "POST /api/v1/interviews/{interview_id}/answers": {"questionId": "665f1c2e9b1d8a0012345678", "skip": True},
    "POST /api/v1/reviews/{question_id}": {"rating": "good"},
}
#: Not the things of a person: a receipt is a secret of its own, and opens nothing but the record that it is of.
WITHOUT_OWNER = {
    "GET /api/v1/users/erasures/{receipt}",
    # Whoever has the token may look.
    "GET /api/v1/shared/sessions/{token}",
    "GET /api/v1/shared/templates/{token}",
    "POST /api/v1/shared/templates/{token}/sessions",
    "GET /api/v1/auth/letters/unsubscribe/{token}",
    "POST /api/v1/auth/letters/unsubscribe/{token}",
}
ADMIN = "/api/v1/auth/admin/"


@pytest.fixture
async def ids(person: Person) -> dict[str, str]:
    """One thing of each kind that `person` owns, by the name of its path parameter."""
    session = await start_session(person, topics=["Python"], count=1)
    await wait_for_job(person, session["generation"]["jobId"])
    question = (await person.http.get(f"/api/v1/sessions/{session['id']}/questions")).json()["items"][0]
    export, _ = await export_file(person, session["id"], "json")
    login = (await person.http.get("/api/v1/auth/sessions")).json()["items"][0]
    collection = (await person.http.post("/api/v1/collections", json={"name": "Mine"})).json()
    recipe = {"name": "Mine", "role": "Cook", "experience": "junior", "topics": []}
    template = (await person.http.post("/api/v1/templates", json=recipe)).json()
    share = (await person.http.post(f"/api/v1/sessions/{session['id']}/shares", json={})).json()
    resume = await upload_resume(person, b"Ada")
    reading = (await person.http.post("/api/v1/resumes", json={"uploadId": resume})).json()
    await wait_for_job(person, reading["jobId"])
    await person.http.put(f"/api/v1/collections/{collection['id']}/questions/{question['id']}")
    return {
        "collection_id": collection["id"],
        **await practised(person, session["id"], question["id"]),
        "template_id": template["id"],
        "share_id": share["id"],
        "resume_id": resume,
        "session_id": session["id"],
        "question_id": question["id"],
        "job_id": session["generation"]["jobId"],
        "export_id": export["id"],
        "login_session_id": login["id"],
        "user_id": str(person.id),
    }


async def practised(person: Person, session: str, question: str) -> dict[str, str]:
    """An attempt, a draft, a card of the review queue, and a mock interview with its report."""
    attempt = (await person.http.post(f"/api/v1/questions/{question}/attempts", json={"answer": "I know it."})).json()
    await wait_for_job(person, attempt["jobId"])
    await person.http.put(f"/api/v1/questions/{question}/draft", json={"answer": "So far"})
    await person.http.post(f"/api/v1/reviews/{question}", json={"rating": "good"})
    interview = (await person.http.post(f"/api/v1/sessions/{session}/interviews", json={})).json()
    ended = (await person.http.post(f"/api/v1/interviews/{interview['id']}/finish")).json()
    await wait_for_job(person, ended["reportJobId"])
    return {"attempt_id": attempt["id"], "interview_id": interview["id"]}


async def everything_of(person: Person, ids: dict[str, str]) -> dict[str, Any]:
    """What the owner sees of it all, without what changes by itself."""
    paths = [
        f"sessions/{ids['session_id']}",
        f"sessions/{ids['session_id']}/questions",
        f"questions/{ids['question_id']}",
        f"questions/{ids['question_id']}/draft",
        f"questions/{ids['question_id']}/history",
        f"collections/{ids['collection_id']}",
        f"collections/{ids['collection_id']}/questions",
        f"attempts/{ids['attempt_id']}",
        f"interviews/{ids['interview_id']}",
        f"reviews/{ids['question_id']}",
        f"jobs/{ids['job_id']}",
        f"exports/{ids['export_id']}",
        f"exports/{ids['export_id']}/manifest",
        f"templates/{ids['template_id']}",
        f"resumes/{ids['resume_id']}",
        f"sessions/{ids['session_id']}/shares",
        "auth/sessions",
        "users/me",
        "users/me/preferences",
    ]
    seen = {}
    for path in paths:
        answer = await person.http.get(f"/api/v1/{path}")
        assert answer.status_code == 200, (path, answer.text)
        passing = {"downloadUrl", "expiresAt"}
        seen[path] = {key: value for key, value in answer.json().items() if key not in passing}
    return seen


def with_ids() -> list[Route]:
    return [route for route in all_routes() if "{" in route.path and not route.is_internal]


async def test_anothers_things_do_not_exist_on_any_route_and_nothing_happens_to_them(
    person: Person, new_person: NewPerson, ids: dict[str, str]
) -> None:
    stranger, before = await new_person(), await everything_of(person, ids)
    walked = [route for route in with_ids() if str(route) not in WITHOUT_OWNER]
    assert len(walked) >= 18
    for route in walked:
        # A KeyError here: a new kind of id. Make one above, so that the walk covers it.
        body = VALID_BODIES.get(str(route), {}) if route.body else None
        answer = await stranger.http.request(route.method, route.path.format_map(ids), json=body)
        expected = 403 if route.path.startswith(ADMIN) else 404
        assert answer.status_code == expected, (route, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == expected
    assert await everything_of(person, ids) == before


async def test_an_id_in_a_body_is_checked_like_one_in_a_path(
    person: Person, new_person: NewPerson, ids: dict[str, str]
) -> None:
    stranger = await new_person()
    export = {"sessionId": ids["session_id"], "format": "md"}
    assert_not_found(await stranger.http.post("/api/v1/exports", json=export))
    async with asyncio.timeout(30):  # the generation and the export are announced by events
        while not (notifications := (await person.http.get("/api/v1/notifications")).json()["items"]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await stranger.http.post("/api/v1/notifications/read", json={"ids": [entry["id"] for entry in notifications]})
    again = (await person.http.get("/api/v1/notifications")).json()["items"]
    assert [entry["readAt"] for entry in again] == [None] * len(again)


async def test_lists_show_ones_own_things_only(new_person: NewPerson, ids: dict[str, str]) -> None:
    stranger = await new_person()
    for path in ("sessions", "exports", "notifications"):
        assert (await stranger.http.get(f"/api/v1/{path}")).json()["items"] == [], path
    audit = (await stranger.http.get("/api/v1/auth/audit")).json()["items"]
    assert [entry["event"] for entry in audit] == ["account.registered"]
    logins = (await stranger.http.get("/api/v1/auth/sessions")).json()["items"]
    assert [login["id"] == ids["login_session_id"] for login in logins] == [False]


def assert_not_found(answer: httpx.Response) -> None:
    assert answer.status_code == 404, answer.text
