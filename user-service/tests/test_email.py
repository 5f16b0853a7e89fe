"""Promises of the e-mail address in a profile: it follows the account's."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from intervai_shared.errors import UnavailableError
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import Person
from user_service.container import UserContainer
from user_service.profiles.tasks import forget_profile

PATH = "/api/v1/users/me"
CHANGED = "user.email-changed"
Happens = Callable[..., Awaitable[Document]]


@pytest.fixture
def changes(
    happens: Happens,
    person: Person,
    database: Database,
    user_app: tuple[httpx.AsyncClient, UserContainer],
) -> Callable[..., Awaitable[Document]]:
    """`changes(email, sequence=…)`: the address of `person` was changed, and the worker did all of it; the event."""

    async def arrive(email: str, sequence: int) -> Document:
        event = await happens(CHANGED, person.id, sequence=sequence, email=email)
        for message in await database.outbox.find({"name": "forget_profile"}).to_list():
            await forget_profile(user_app[1], *message["args"])
        return event

    return arrive


async def test_a_new_address_is_in_the_next_read_though_the_former_was_cached(
    with_profile: httpx.AsyncClient, changes: Happens
) -> None:
    before = (await with_profile.get(PATH)).json()
    await changes("new@example.com", 2)
    after = (await with_profile.get(PATH)).json()
    assert after == before | {"email": "new@example.com", "updatedAt": after["updatedAt"]}


async def test_of_two_changes_the_later_stays_in_whichever_order_they_come(
    with_profile: httpx.AsyncClient, changes: Happens
) -> None:
    await changes("later@example.com", 3)
    await changes("earlier@example.com", 2)
    assert (await with_profile.get(PATH)).json()["email"] == "later@example.com"
    await changes("latest@example.com", 4)
    assert (await with_profile.get(PATH)).json()["email"] == "latest@example.com"


async def test_a_change_that_comes_before_the_profile_is_tried_again_and_not_lost(
    http: httpx.AsyncClient, changes: Happens, inbox: Inbox, database: Database, event: Document, person: Person
) -> None:
    with pytest.raises(UnavailableError):
        await changes("new@example.com", 2)
    assert await database.inbox.count_documents({}) == 0
    await inbox.apply(event)
    await changes("new@example.com", 2)
    assert (await http.get(PATH)).json()["email"] == "new@example.com"


async def test_a_repetition_does_not_bring_a_former_address_back(
    with_profile: httpx.AsyncClient, changes: Happens, inbox: Inbox, database: Database
) -> None:
    first = await changes("first@example.com", 2)
    await changes("second@example.com", 3)
    await database.inbox.delete_many({})
    await inbox.apply(first)
    stored = await database.profiles.find_one()
    assert stored is not None
    assert stored["email"] == "second@example.com"


async def test_what_the_person_has_written_stays(with_profile: httpx.AsyncClient, changes: Happens) -> None:
    await with_profile.patch(PATH, json={"fullName": "Augusta", "headline": "Analyst"})
    await changes("new@example.com", 2)
    after = (await with_profile.get(PATH)).json()
    assert (after["fullName"], after["headline"]) == ("Augusta", "Analyst")
