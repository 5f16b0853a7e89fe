"""Promises of `/api/v1/users/me/preferences`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import httpx
import pytest
from pydantic import ValidationError

from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person
from user_service.notifications.schemas import Kind

PATH = "/api/v1/users/me/preferences"
DEFAULTS: dict[str, Any] = {
    "mail": {"newDevice": True, "weeklyReview": False},
    "notifications": {"questionsGenerated": True, "exportReady": True, "newLogin": True},
    "defaultExportFormat": "pdf",
}
OTHERS: dict[str, Any] = {
    "mail": {"newDevice": False, "weeklyReview": True},
    "notifications": {"questionsGenerated": False, "exportReady": False, "newLogin": False},
    "defaultExportFormat": "apkg",
}


async def test_who_has_never_set_any_has_the_defaults_and_reading_them_stores_nothing(
    http: httpx.AsyncClient, database: Database
) -> None:
    answer = await http.get(PATH)
    assert (answer.status_code, answer.json()) == (200, DEFAULTS)
    assert await database.preferences.count_documents({}) == 0


async def test_what_is_set_is_answered_and_read_back(http: httpx.AsyncClient) -> None:
    for wanted in (OTHERS, DEFAULTS, OTHERS):
        answer = await http.put(PATH, json=wanted)
        assert (answer.status_code, answer.json()) == (200, wanted)
        assert (await http.get(PATH)).json() == wanted


async def test_setting_replaces_all_so_what_is_left_out_is_the_default_again(http: httpx.AsyncClient) -> None:
    await http.put(PATH, json=OTHERS)
    answer = await http.put(PATH, json={"notifications": {"newLogin": False}})
    assert answer.json() == DEFAULTS | {"notifications": DEFAULTS["notifications"] | {"newLogin": False}}
    assert (await http.get(PATH)).json() == answer.json()


@pytest.mark.parametrize("format_", ["pdf", "docx", "csv", "md", "json", "apkg"])
async def test_every_format_of_an_export_can_be_the_default(http: httpx.AsyncClient, format_: str) -> None:
    assert (await http.put(PATH, json={"defaultExportFormat": format_})).json()["defaultExportFormat"] == format_


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"theme": "dark"}, "theme"),
        ({"mail": {"spam": True}}, "mail.spam"),
        ({"mail": {"newDevice": "maybe"}}, "mail.newDevice"),
        ({"mail": {"newDevice": {"$ne": 1}}}, "mail.newDevice"),
        ({"mail": None}, "mail"),
        ({"notifications": []}, "notifications"),
        ({"defaultExportFormat": "exe"}, "defaultExportFormat"),
        ({"defaultExportFormat": None}, "defaultExportFormat"),
        ({"_id": "665f1c2e9b1d8a0012345678"}, "_id"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_changed(http: httpx.AsyncClient, body: Any, field: str) -> None:
    await http.put(PATH, json=OTHERS)
    answer = await http.put(PATH, json={**DEFAULTS, **body})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await http.get(PATH)).json() == OTHERS


async def test_fields_that_are_newer_than_what_is_stored_have_their_defaults(
    http: httpx.AsyncClient, database: Database, person: Person
) -> None:
    former = {"mail": {"newDevice": False, "gone": True}, "gone": 1}
    await database.preferences.insert_one({"_id": person.id, **former})
    assert (await http.get(PATH)).json() == DEFAULTS | {"mail": DEFAULTS["mail"] | {"newDevice": False}}


async def test_first_ones_that_are_set_at_once_all_succeed_and_one_of_them_stays(
    http: httpx.AsyncClient, database: Database
) -> None:
    formats = ["pdf", "docx", "csv", "md", "json", "apkg"]
    answers = await asyncio.gather(*(http.put(PATH, json={"defaultExportFormat": name}) for name in formats))
    assert {answer.status_code for answer in answers} == {200}
    assert await database.preferences.count_documents({}) == 1


async def test_who_sends_letters_is_told_when_other_ones_are_wanted_and_only_then(
    http: httpx.AsyncClient, database: Database, person: Person
) -> None:
    for wanted in (DEFAULTS, OTHERS, OTHERS, DEFAULTS, DEFAULTS | {"defaultExportFormat": "md"}):
        await http.put(PATH, json=wanted)
    events = await database.events.find({"type": "preferences.changed"}).sort("sequence", 1).to_list()
    assert [event["data"] for event in events] == [
        {"user": str(person.id), "mail": wanted["mail"]} for wanted in (OTHERS, DEFAULTS)
    ]
    assert {event["aggregateId"] for event in events} == {person.id}


async def test_everybody_has_their_own(http: httpx.AsyncClient, new_person: NewPerson) -> None:
    await http.put(PATH, json=OTHERS)
    stranger = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    assert (await http.get(PATH, headers=stranger)).json() == DEFAULTS


def test_the_kinds_of_notifications_are_those_that_can_be_switched_off() -> None:
    assert set(get_args(Kind)) == set(DEFAULTS["notifications"])


async def test_letters_that_are_declined_in_a_mail_program_are_switched_off_and_nothing_else(
    http: httpx.AsyncClient, database: Database, person: Person, happens: Callable[..., Awaitable[Document]]
) -> None:
    await http.put(PATH, json=OTHERS)
    for sequence in (1, 2):
        await happens("user.unsubscribed", person.id, sequence=sequence, letter="weeklyReview")
        assert (await http.get(PATH)).json() == OTHERS | {"mail": OTHERS["mail"] | {"weeklyReview": False}}
    assert await database.events.count_documents({"type": "preferences.changed"}) == 2


async def test_a_letter_that_is_not_known_changes_nothing(
    http: httpx.AsyncClient, person: Person, happens: Callable[..., Awaitable[Document]]
) -> None:
    await http.put(PATH, json=OTHERS)
    with pytest.raises(ValidationError):
        await happens("user.unsubscribed", person.id, letter="daily")
    assert (await http.get(PATH)).json() == OTHERS
