"""Promises of `PATCH /api/v1/users/me`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from user_service.container import UserContainer

PATH = "/api/v1/users/me"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]
EVERYTHING = {
    "fullName": "Augusta Ada King",
    "headline": "Analyst and metaphysician",
    "targetRole": "Backend engineer",
    "experience": "senior",
    "locale": "en-GB",
    "timeZone": "Europe/London",
}


async def test_the_answer_and_the_next_read_show_every_field_that_was_given(with_profile: httpx.AsyncClient) -> None:
    before = (await with_profile.get(PATH)).json()
    answer = await with_profile.patch(PATH, json=EVERYTHING)
    assert answer.status_code == 200
    after = answer.json()
    assert after == before | EVERYTHING | {"updatedAt": after["updatedAt"]}
    assert after["updatedAt"] > before["updatedAt"]
    assert (await with_profile.get(PATH)).json() == after


async def test_what_is_left_out_stays(with_profile: httpx.AsyncClient) -> None:
    await with_profile.patch(PATH, json=EVERYTHING)
    after = (await with_profile.patch(PATH, json={"experience": "lead"})).json()
    assert {key: after[key] for key in EVERYTHING} == EVERYTHING | {"experience": "lead"}


async def test_a_change_of_nothing_changes_nothing(with_profile: httpx.AsyncClient) -> None:
    before = (await with_profile.get(PATH)).json()
    answer = await with_profile.patch(PATH, json={})
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize("field", ["headline", "targetRole", "experience", "locale", "timeZone"])
async def test_null_empties_an_optional_field(with_profile: httpx.AsyncClient, field: str) -> None:
    await with_profile.patch(PATH, json=EVERYTHING)
    after = (await with_profile.patch(PATH, json={field: None})).json()
    assert {key: after[key] for key in EVERYTHING} == EVERYTHING | {field: None}
    assert (await with_profile.get(PATH)).json() == after


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fullName", None),
        ("fullName", ""),
        ("fullName", " \t "),
        ("fullName", "x" * 121),
        ("headline", "x" * 121),
        ("headline", {"$set": "x"}),
        ("targetRole", "NUL \x00"),
        ("experience", "guru"),
        ("experience", "Senior"),
        ("locale", "en_GB"),
        ("locale", "english"),
        ("locale", "en-GB\n"),
        ("timeZone", "Europe/Atlantis"),
        ("timeZone", "europe/london"),
        ("timeZone", "../../etc/passwd"),
        ("timeZone", "localtime"),
        ("timeZone", ""),
        ("email", "other@example.com"),
        ("id", "665f1c2e9b1d8a0012345678"),
        ("createdAt", "2020-01-01T00:00:00Z"),
        ("$set", {"email": "other@example.com"}),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_changed(
    with_profile: httpx.AsyncClient, field: str, value: Any
) -> None:
    before = (await with_profile.get(PATH)).json()
    answer = await with_profile.patch(PATH, json={"experience": "lead", field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await with_profile.get(PATH)).json() == before


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("experience", ["intern", "junior", "mid", "senior", "lead"]),
        ("locale", ["de", "en-GB", "sr-Latn-RS", "es-419", "fil"]),
        ("timeZone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"]),
    ],
)
async def test_all_common_values_are_taken(with_profile: httpx.AsyncClient, field: str, values: list[str]) -> None:
    answers = [await with_profile.patch(PATH, json={field: value}) for value in values]
    assert [answer.json().get(field) for answer in answers] == values


async def test_what_a_person_types_is_trimmed(with_profile: httpx.AsyncClient) -> None:
    after = (await with_profile.patch(PATH, json={"fullName": "  Ada  King \n"})).json()
    assert after["fullName"] == "Ada  King"


async def test_changes_of_different_fields_at_once_all_stay(with_profile: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(with_profile.patch(PATH, json={field: value}) for field, value in EVERYTHING.items())
    )
    assert {answer.status_code for answer in answers} == {200}
    after = (await with_profile.patch(PATH, json={})).json()
    assert {key: after[key] for key in EVERYTHING} == EVERYTHING


async def test_a_change_waits_for_an_event_that_is_under_way(start: Start, inbox: Inbox, event: Document) -> None:
    patient, _ = await start(PROFILE_WAIT_SECONDS="20")
    changing = asyncio.create_task(patient.patch(PATH, json=EVERYTHING))
    await asyncio.sleep(0.2)
    assert not changing.done()
    await inbox.apply(event)
    after = (await changing).json()
    assert {key: after[key] for key in EVERYTHING} == EVERYTHING


async def test_a_change_that_has_waited_in_vain_leaves_nothing_behind(
    http: httpx.AsyncClient, database: Database
) -> None:
    answer = await http.patch(PATH, json=EVERYTHING)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert await database.profiles.count_documents({}) == 0
