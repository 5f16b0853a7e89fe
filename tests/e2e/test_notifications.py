"""Notifications through the gateway: what a person's own work brings, in the list and live; and their picture."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from intervai_shared.testing import NewPerson, Person
from tests.e2e.support import PATIENCE_SECONDS, events_of, export_file, start_session, wait_for_job

PATH = "/api/v1/notifications"
Event = dict[str, Any]


@asynccontextmanager
async def following(person: Person, last_id: str | None = None) -> AsyncIterator[AsyncIterator[Event]]:
    """The server-sent events of a person's notifications."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        person.http.stream("GET", f"{PATH}/stream", headers=headers, timeout=PATIENCE_SECONDS) as stream,
    ):
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        yield events_of(stream)


async def listed(person: Person, **params: Any) -> dict[str, Any]:
    answer = await person.http.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def work(person: Person) -> tuple[str, str, str]:
    """Generates questions, exports them; the ids of session, job and export."""
    session = await start_session(person, topics=["Python"], count=3)
    job_id = session["generation"]["jobId"]
    assert (await wait_for_job(person, job_id))["status"] == "succeeded"
    export, _ = await export_file(person, session["id"], "md")
    return session["id"], job_id, export["id"]


async def test_questions_and_an_export_are_told_live_and_stand_in_the_list(
    person: Person, new_person: NewPerson
) -> None:
    stranger = await new_person()
    async with following(person) as events:
        first = await anext(events)
        assert (first["event"], first["data"]) == ("unread", {"unreadCount": 0})
        session_id, job_id, export_id = await work(person)
        told = [event["data"] async for event in _next(events, 2)]
        assert [(one["kind"], one["title"]) for one in told] == [
            ("questionsGenerated", "3 new questions are ready"),
            ("exportReady", "Your MD file is ready"),
        ]
        assert (told[0]["data"]["sessionId"], told[0]["data"]["jobId"]) == (session_id, job_id)
        assert told[1]["data"]["exportId"] == export_id
        page = await listed(person)
        assert (page["items"], page["unreadCount"]) == (told[::-1], 2)
        read = await person.http.post(f"{PATH}/read", json={"ids": [told[0]["id"]]})
        assert read.json() == {"marked": 1, "unreadCount": 1}
        assert (await anext(events))["data"] == {"unreadCount": 1}
    assert (await listed(stranger))["items"] == []
    assert [one["id"] for one in (await listed(person, unread=True))["items"]] == [told[1]["id"]]
    assert (await person.http.delete(PATH)).status_code == 204
    assert (await listed(person))["items"] == []


async def test_who_was_away_gets_what_came_meanwhile_and_who_has_switched_it_off_does_not(person: Person) -> None:
    only_exports = {"notifications": {"questionsGenerated": False}}
    assert (await person.http.put("/api/v1/users/me/preferences", json=only_exports)).status_code == 200
    async with following(person) as events:
        position = (await anext(events))["id"]
    _, _, export_id = await work(person)
    async with following(person, position) as events:
        told = [event async for event in _next(events, 2)]
    assert [event["event"] for event in told] == ["unread", "notification"]
    assert told[1]["data"]["data"]["exportId"] == export_id
    assert [one["kind"] for one in (await listed(person))["items"]] == ["exportReady"]


async def test_a_stream_ends_when_its_person_logs_out(person: Person) -> None:
    async with following(person) as events:
        await anext(events)
        answer = await person.http.post("/api/v1/auth/logout", json={"refreshToken": person.tokens["refreshToken"]})
        assert answer.is_success, answer.text
        assert [event async for event in events] == []
    assert (await person.http.get(PATH)).status_code == 401


async def test_a_picture_goes_straight_to_the_store_and_is_shown_by_a_signed_url(person: Person) -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(1_500_000)
    wanted = {"contentType": "image/png", "sizeBytes": len(picture)}
    upload = (await person.http.post("/api/v1/users/me/avatar", json=wanted)).json()
    async with httpx.AsyncClient() as browser:
        sent = await browser.post(upload["url"], data=upload["fields"], files={"file": ("me.png", picture)})
        assert sent.is_success, sent.text
        chosen = await person.http.put("/api/v1/users/me/avatar", json={"uploadId": upload["uploadId"]})
        assert chosen.status_code == 200, chosen.text
        profile = (await person.http.get("/api/v1/users/me")).json()
        shown = await browser.get(profile["avatarUrl"])
    assert (shown.content, shown.headers["content-type"]) == (picture, "image/png")


async def _next(events: AsyncIterator[Event], count: int) -> AsyncIterator[Event]:
    for _ in range(count):
        yield await anext(events)
