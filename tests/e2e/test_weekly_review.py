"""The weekly letter of due questions, from the preference to the mailbox. The schedule is not waited for: the tests
send what the scheduler sends at its time."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from dramatiq import Message
from pymongo import AsyncMongoClient

from auth_service.letters.tokens import LetterTokens
from intervai_shared.messaging import broker
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database
from intervai_shared.scheduling.schedules import ACTOR, QUEUE
from intervai_shared.settings import ProcessSettings
from intervai_shared.testing import Person
from tests.e2e.test_letters import letter_to, mailbox, token_in
from tests.privacy.search import log_files_with

SUBJECT = "2 questions wait for your review"
SCHEDULE = "send_weekly_reviews"
PATIENCE_SECONDS = 60


@pytest.fixture
async def auth_database() -> AsyncIterator[Database]:
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as mongo:
        yield mongo.intervai_auth


async def come_about(database: Database, collection: str, where: dict[str, Any]) -> dict[str, Any]:
    """A document, once it is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await database[collection].find_one(where)) is None:
        assert time.monotonic() < deadline, (collection, where)
        await asyncio.sleep(0.05)
    return dict(found)


async def monday_comes(database: Database) -> None:
    """Sends the tick of this moment to auth-service, and waits until its worker has done it."""
    last = await database.scheduled_runs.find_one({"_id": SCHEDULE}) or {"fence": 0}
    slot: datetime = utc_now()
    settings = ProcessSettings(service="tests")
    args = (SCHEDULE, slot.isoformat(), last["fence"])
    message: Message[Any] = Message(queue_name=QUEUE, actor_name=ACTOR, args=args, kwargs={}, options={})
    await asyncio.to_thread(broker.publisher(settings, "auth-service").enqueue, message)
    await come_about(database, "scheduled_runs", {"_id": SCHEDULE, "slot": slot, "state": "done"})


async def wants(person: Person, wanted: bool) -> None:
    answer = await person.http.put("/api/v1/users/me/preferences", json={"mail": {"weeklyReview": wanted}})
    assert answer.status_code == 200, answer.text


async def confirm_address(gateway: httpx.AsyncClient, person: Person) -> None:
    letter = await letter_to(person, "Please confirm your e-mail address")
    answer = await gateway.post("/api/v1/auth/email/verify", json={"token": token_in(letter)})
    assert answer.status_code == 200, answer.text


async def have_due(person: Person, *texts: str) -> None:
    """Has these questions in the person's review queue."""
    body = {"role": "Backend engineer", "experience": "senior", "topics": ["Python"], "generate": False}
    session = (await person.http.post("/api/v1/sessions", json=body)).json()["id"]
    for text in texts:
        answer = await person.http.post(f"/api/v1/sessions/{session}/questions", json={"text": text})
        assert answer.status_code == 201, answer.text
    added = await person.http.post(f"/api/v1/sessions/{session}/reviews")
    assert added.json()["added"] == len(texts)


def of_the_week(person: Person) -> list[EmailMessage]:
    return [letter for letter in mailbox(person) if letter["Subject"] == SUBJECT]


def text_of(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_who_wants_it_gets_one_letter_a_week_with_what_is_due_and_nobody_else_does(
    gateway: httpx.AsyncClient, person: Person, new_person: Any, auth_database: Database
) -> None:
    unconfirmed = await new_person()
    for each in (person, unconfirmed):
        await have_due(each, "What is <b>a closure</b>?", "Why is `is` not `==`?")
        await wants(each, True)
        await come_about(auth_database, "accounts", {"_id": each.id, "mail.weeklyReview": True})
    await confirm_address(gateway, person)

    await monday_comes(auth_database)
    letter = await letter_to(person, SUBJECT)
    assert "- What is <b>a closure</b>?\n- Why is `is` not `==`?\n" in text_of(letter, "plain")
    assert "What is &lt;b&gt;a closure&lt;/b&gt;?" in text_of(letter, "html")
    for kind in ("plain", "html"):
        assert f"{os.environ['APP_URL']}/reviews" in text_of(letter, kind)

    await monday_comes(auth_database)
    await monday_comes(auth_database)
    weekly = {"user": person.id, "kind": "weekly-review"}
    await come_about(auth_database, "letters", {**weekly, "status": "succeeded", "wasSent": True})
    await asyncio.sleep(1)  # for a letter that must not come
    assert len(of_the_week(person)) == 1
    for private in (person.email, "a closure"):
        assert log_files_with(private) == []
    assert await auth_database.letters.count_documents(weekly) == 1
    assert of_the_week(unconfirmed) == []


async def test_one_click_in_a_mail_program_ends_it_in_the_preferences_too(
    gateway: httpx.AsyncClient, person: Person, auth_database: Database
) -> None:
    await have_due(person, "Why?", "What for?")
    await wants(person, True)
    await come_about(auth_database, "accounts", {"_id": person.id, "mail.weeklyReview": True})
    await confirm_address(gateway, person)
    master = base64.urlsafe_b64decode(os.environ["KEY_ENCRYPTION_KEY"])
    token = LetterTokens(master, b"unsubscribe-token").of(person.id)
    one_click = {"List-Unsubscribe": "One-Click"}
    answer = await gateway.post(f"/api/v1/auth/letters/unsubscribe/{token}", data=one_click)
    assert answer.status_code == 204, answer.text
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await person.http.get("/api/v1/users/me/preferences")).json()["mail"]["weeklyReview"]:  # noqa: ASYNC110  by an event
            await asyncio.sleep(0.05)
    await monday_comes(auth_database)
    assert await auth_database.letters.count_documents({"user": person.id, "kind": "weekly-review"}) == 0
    assert log_files_with(token.partition(".")[2]) == []
