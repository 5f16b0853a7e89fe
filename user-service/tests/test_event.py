"""Promises of the profile that `user.registered` makes: once, whatever the queue repeats."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from bson import ObjectId
from bson.errors import InvalidId
from pymongo.errors import DuplicateKeyError

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person

PATH = "/api/v1/users/me"


async def test_the_profile_has_the_id_and_the_data_of_the_account(
    with_profile: httpx.AsyncClient, person: Person
) -> None:
    answer = await with_profile.get(PATH)
    assert answer.status_code == 200
    profile = answer.json()
    assert profile["createdAt"] == profile["updatedAt"]
    assert {key: value for key, value in profile.items() if key not in {"createdAt", "updatedAt"}} == {
        "id": str(person.id),
        "email": person.email,
        "fullName": "Ada Lovelace",
        "headline": None,
        "targetRole": None,
        "experience": None,
        "locale": None,
        "timeZone": None,
        "avatarUrl": None,
    }


async def test_an_event_that_comes_twice_makes_one_profile(inbox: Inbox, database: Database, event: Document) -> None:
    await inbox.apply(event)
    await inbox.apply(event)
    assert await database.profiles.count_documents({}) == 1


async def test_an_event_that_many_workers_get_at_once_makes_one_profile(
    inbox: Inbox, database: Database, event: Document
) -> None:
    await asyncio.gather(*(inbox.apply(event) for _ in range(8)))
    assert await database.profiles.count_documents({}) == 1


async def test_a_late_repetition_does_not_undo_what_the_person_changed(
    with_profile: httpx.AsyncClient, inbox: Inbox, event: Document
) -> None:
    changed = await with_profile.patch(PATH, json={"fullName": "Augusta Ada King"})
    await inbox.apply(event)
    assert (await with_profile.get(PATH)).json() == changed.json()


async def test_nor_does_a_repetition_that_the_inbox_has_forgotten(
    with_profile: httpx.AsyncClient, inbox: Inbox, database: Database, event: Document
) -> None:
    changed = await with_profile.patch(PATH, json={"fullName": "Augusta Ada King"})
    await database.inbox.delete_many({})
    with pytest.raises(DuplicateKeyError):
        await inbox.apply(event)
    stored = await database.profiles.find_one()
    assert stored is not None
    assert stored["fullName"] == changed.json()["fullName"]


async def test_an_event_whose_profile_cannot_be_written_is_not_marked_as_applied(
    inbox: Inbox, database: Database, event: Document
) -> None:
    broken = {**event, "aggregateId": "no id"}
    results = await asyncio.gather(inbox.apply(broken), return_exceptions=True)
    assert isinstance(results[0], InvalidId)
    assert await database.inbox.count_documents({}) == 0
    await inbox.apply(event)
    assert await database.profiles.count_documents({}) == 1


async def test_each_person_gets_a_profile_of_their_own(
    inbox: Inbox, database: Database, new_person: NewPerson, registered: Callable[[Person], Document]
) -> None:
    people = [await new_person() for _ in range(2)]
    for person in people:
        await inbox.apply(registered(person))
    stored: list[ObjectId] = await database.profiles.distinct("_id")
    assert set(stored) == {person.id for person in people}
