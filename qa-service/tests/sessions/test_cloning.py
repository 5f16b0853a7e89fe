"""Clones: a session of one's own with copies of the questions, and nothing of what was done with them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.sessions import cloning

NewSession = Callable[..., Awaitable[Document]]
OF_THE_COPY = ("id", "sessionId", "createdAt", "updatedAt")


async def questions_of(http: httpx.AsyncClient, session: Document, without: tuple[str, ...] = ()) -> list[Document]:
    items = (await http.get(f"/api/v1/sessions/{session['id']}/questions", params={"limit": 100})).json()["items"]
    return [{key: value for key, value in item.items() if key not in without} for item in items]


async def cloned(http: httpx.AsyncClient, session: Document, **wanted: Any) -> Document:
    answer = await http.post(f"{session['path']}/clone", json=wanted)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_clone_has_the_same_questions_in_the_same_order_under_ids_of_its_own(
    http: httpx.AsyncClient, new_session: NewSession
) -> None:
    session = await new_session(questions=5, pinned=2, jobDescription="Busy.", title="Mine")
    copy = await cloned(http, session)
    assert (copy["title"], copy["clonedFrom"], copy["questionCount"]) == ("Mine (copy)", session["id"], 5)
    assert (copy["role"], copy["topics"], copy["jobDescription"]) == ("Cook", ["Soup"], "Busy.")
    assert await questions_of(http, copy, OF_THE_COPY) == await questions_of(http, session, OF_THE_COPY)
    ids = {question["id"] for one in (copy, session) for question in await questions_of(http, one)}
    assert len(ids) == 10
    assert (await http.get(f"/api/v1/sessions/{copy['id']}")).json() == copy


async def test_a_clone_may_leave_out_notes_and_what_is_not_pinned(
    http: httpx.AsyncClient, new_session: NewSession
) -> None:
    session = await new_session(questions=3, pinned=2)
    copy = await cloned(http, session, title="Best", onlyPinned=True, withNotes=False)
    assert (copy["title"], copy["questionCount"], copy["status"]) == ("Best", 2, "in-progress")
    kept = [(question["text"], question["notes"]) for question in await questions_of(http, copy)]
    assert kept == [("Question 1?", ""), ("Question 0?", "")]
    empty = await cloned(http, await new_session())
    assert (empty["questionCount"], empty["status"]) == (0, "pending")


async def test_a_clone_is_told_of_like_a_session_with_added_questions(
    http: httpx.AsyncClient, new_session: NewSession, container: QaContainer
) -> None:
    copy = await cloned(http, await new_session(questions=2))
    events = await container.resources.mongo.db.events.find().sort("_id").to_list()
    told = [(event["type"], event["data"].get("count")) for event in events if str(event["aggregateId"]) == copy["id"]]
    assert told == [("session.created", None), ("questions.added", 2)]


async def test_what_a_generation_or_practice_has_left_on_a_question_stays_there(
    http: httpx.AsyncClient, new_session: NewSession, container: QaContainer
) -> None:
    session = await new_session(questions=1)
    questions = container.resources.mongo.db.questions
    left = {"generation": "g", "ordinal": 0, "fingerprint": "f", "bestScore": 90, "source": "generated", "model": "m"}
    await questions.update_one({}, {"$set": left})
    copy = await cloned(http, session)
    stored = await questions.find_one({"clonedFrom": {"$exists": True}})
    assert stored is not None
    assert not stored.keys() & {"generation", "ordinal", "bestScore"}
    assert stored.get("fingerprint") != "f"
    assert (stored["source"], stored["model"], str(stored["session"])) == ("generated", "m", copy["id"])


async def test_a_clone_of_an_archived_session_is_not_archived(http: httpx.AsyncClient, new_session: NewSession) -> None:
    session = await new_session(questions=1)
    await http.post(f"{session['path']}/archive")
    assert (await cloned(http, session))["archivedAt"] is None


async def test_a_session_with_too_many_questions_is_not_cloned_in_part(
    http: httpx.AsyncClient, new_session: NewSession, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloning, "MOST_QUESTIONS", 2)
    session = await new_session(questions=3)
    answer = await http.post(f"{session['path']}/clone", json={})
    assert answer.status_code == 409
    assert await container.resources.mongo.db.sessions.count_documents({}) == 1


async def test_a_clone_that_is_sent_again_with_its_key_is_made_once(
    http: httpx.AsyncClient, new_session: NewSession, container: QaContainer
) -> None:
    session = await new_session(questions=2)
    key = {"Idempotency-Key": "once"}
    answers = [await http.post(f"{session['path']}/clone", json={}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await container.resources.mongo.db.questions.count_documents({}) == 4
