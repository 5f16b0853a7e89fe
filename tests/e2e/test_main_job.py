"""The main job, through the gateway only: from an account to files on the disk."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
from pypdf import PdfReader

from intervai_shared.testing import NewPerson, Person
from tests.e2e.support import events_of_job, export_file, start_session, wait_for_job

ANSWERS = {"Python", "SQL"}


async def questions_of(person: Person, session_id: str, **params: Any) -> list[dict[str, Any]]:
    answer = await person.http.get(f"/api/v1/sessions/{session_id}/questions", params={"limit": 100, **params})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_a_session_gets_the_questions_that_were_asked_for(person: Person) -> None:
    session = await start_session(person, topics=["Python", "SQL"], count=12)
    job = await wait_for_job(person, session["generation"]["jobId"])
    assert job["status"] == "succeeded", job
    assert job["result"]["questions"] == 12

    questions = await questions_of(person, session["id"])
    assert len({question["text"] for question in questions}) == 12
    assert {question["category"] for question in questions} == ANSWERS
    for question in questions:
        assert len(question["answer"]) > 100
        assert question["difficulty"] in {"easy", "medium", "hard"}
        assert question["keyPoints"]
        assert question["followUps"]
        assert question["model"] == "intervai-offline-1"
    after = (await person.http.get(f"/api/v1/sessions/{session['id']}")).json()
    assert (after["status"], after["questionCount"]) == ("in-progress", 12)


async def test_more_questions_never_repeat_those_that_are_there(person: Person) -> None:
    session = await start_session(person, topics=["Docker"], count=5)
    await wait_for_job(person, session["generation"]["jobId"])
    more = await person.http.post(f"/api/v1/sessions/{session['id']}/generations", json={"count": 5})
    assert more.status_code == 202
    assert (await wait_for_job(person, more.json()["jobId"]))["status"] == "succeeded"
    texts = [question["text"] for question in await questions_of(person, session["id"])]
    assert len(texts) == len(set(texts)) == 10


async def test_an_unknown_topic_still_gets_sensible_questions(person: Person) -> None:
    session = await start_session(person, topics=["Beekeeping"], count=6)
    assert (await wait_for_job(person, session["generation"]["jobId"]))["status"] == "succeeded"
    questions = await questions_of(person, session["id"])
    assert len(questions) == 6
    assert {question["category"] for question in questions} == {"Beekeeping"}
    assert any("Beekeeping" in question["text"] for question in questions)


async def test_the_job_can_be_watched_as_server_sent_events(person: Person) -> None:
    session = await start_session(person, topics=["Go"], count=3)
    events = await events_of_job(person, session["generation"]["jobId"])
    assert events[-1]["event"] == "succeeded"
    assert events[-1]["data"]["status"] == "succeeded"
    progress = [event["data"].get("progress", 0) for event in events]
    assert progress == sorted(progress)
    # Who comes back after the end learns how it ended.
    again = await events_of_job(person, session["generation"]["jobId"], last_event_id=events[0]["id"])
    assert again[-1]["data"]["status"] == "succeeded"


async def test_questions_are_pinned_and_annotated(person: Person) -> None:
    session = await start_session(person, topics=["Java"], count=4)
    await wait_for_job(person, session["generation"]["jobId"])
    last = (await questions_of(person, session["id"]))[-1]
    changed = await person.http.patch(
        f"/api/v1/questions/{last['id']}", json={"isPinned": True, "notes": "Ask about the heap."}
    )
    assert changed.status_code == 200
    assert (await questions_of(person, session["id"]))[0]["id"] == last["id"]
    pinned = await questions_of(person, session["id"], pinned=True)
    assert [(question["id"], question["notes"]) for question in pinned] == [(last["id"], "Ask about the heap.")]


async def test_a_session_is_exported_in_every_format(person: Person, tmp_path: Path) -> None:
    session = await start_session(person, topics=["Python"], count=5)
    await wait_for_job(person, session["generation"]["jobId"])
    first = (await questions_of(person, session["id"]))[0]

    export, pdf = await export_file(person, session["id"], "pdf")
    assert export["fileName"].endswith(".pdf")
    (tmp_path / export["fileName"]).write_bytes(pdf)
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())
    assert first["text"].replace("`", "")[:40] in text  # code spans are set in another font, without the marks

    _, markdown = await export_file(person, session["id"], "md")
    assert markdown.decode().startswith("# Backend engineer")

    _, content = await export_file(person, session["id"], "json")
    document = json.loads(content)
    assert document["questions"][0]["text"] == first["text"]
    assert len(document["questions"]) == 5


async def test_the_signed_url_is_the_only_way_to_the_file(person: Person, new_person: NewPerson) -> None:
    session = await start_session(person, topics=["Python"], count=1)
    await wait_for_job(person, session["generation"]["jobId"])
    export, _ = await export_file(person, session["id"], "md")
    url = httpx.URL(export["downloadUrl"])
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(url.copy_with(query=None))).status_code == 403
        forged = str(url).replace("Signature=", "Signature=0")
        assert (await anybody.get(forged)).status_code == 403
    stranger = await new_person()
    for way in ("", "/download"):
        assert (await stranger.http.get(f"/api/v1/exports/{export['id']}{way}")).status_code == 404
    redirect = await person.http.get(f"/api/v1/exports/{export['id']}/download")
    assert redirect.status_code == 307
    assert httpx.URL(redirect.headers["location"]).path == url.path


async def test_trending_topics_need_no_login_and_name_nobody(gateway: httpx.AsyncClient, person: Person) -> None:
    await start_session(person, topics=["a topic of mine alone"], count=1)
    answer = await gateway.get("/api/v1/analytics/trending", params={"limit": 5})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"
    assert "mine alone" not in answer.text
    same = await gateway.get(
        "/api/v1/analytics/trending", params={"limit": 5}, headers={"If-None-Match": answer.headers["etag"]}
    )
    assert same.status_code == 304
    assert same.content == b""


async def test_the_profile_comes_from_the_registration_and_is_cached_until_it_changes(person: Person) -> None:
    profile = (await person.http.get("/api/v1/users/me")).json()
    assert (profile["id"], profile["email"], profile["fullName"]) == (str(person.id), person.email, "Ada Lovelace")
    changed = await person.http.patch("/api/v1/users/me", json={"targetRole": "Platform engineer"})
    assert changed.json()["targetRole"] == "Platform engineer"
    assert (await person.http.get("/api/v1/users/me")).json()["targetRole"] == "Platform engineer"
