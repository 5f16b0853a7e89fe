"""Promises of `GET /api/v1/users/me`: one's own profile, also when its event is still under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.testing import NewPerson, Person
from user_service.container import UserContainer

PATH = "/api/v1/users/me"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.tokens['accessToken']}"}


async def test_a_read_waits_for_an_event_that_is_under_way(start: Start, inbox: Inbox, event: Document) -> None:
    patient, _ = await start(PROFILE_WAIT_SECONDS="20")
    reading = asyncio.create_task(patient.get(PATH))
    await asyncio.sleep(0.2)
    assert not reading.done()
    await inbox.apply(event)
    assert (await reading).status_code == 200


async def test_a_read_that_has_waited_in_vain_says_try_again(http: httpx.AsyncClient) -> None:
    answer = await http.get(PATH)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "The profile is still being made."


async def test_the_absence_of_a_profile_is_not_cached(http: httpx.AsyncClient, inbox: Inbox, event: Document) -> None:
    assert (await http.get(PATH)).status_code == 503
    await inbox.apply(event)
    assert (await http.get(PATH)).status_code == 200


async def test_many_reads_at_once_wait_beside_each_other(http: httpx.AsyncClient) -> None:
    async def seconds_of(reads: int) -> float:
        started = time.perf_counter()
        answers = await asyncio.gather(*(http.get(PATH) for _ in range(reads)))
        assert {answer.status_code for answer in answers} == {503}
        return time.perf_counter() - started

    assert await seconds_of(8) < 4 * await seconds_of(1)  # one after the other it would be eight times


async def test_everybody_sees_their_own(
    http: httpx.AsyncClient, inbox: Inbox, new_person: NewPerson, registered: Callable[[Person], Document]
) -> None:
    people = [await new_person() for _ in range(2)]
    for person in people:
        await inbox.apply(registered(person))
    for _ in range(2):  # from Mongo, then from the cache
        for person in people:
            profile = (await http.get(PATH, headers=bearer(person))).json()
            assert (profile["id"], profile["email"]) == (str(person.id), person.email)


async def test_there_is_no_way_to_the_profile_of_another(
    with_profile: httpx.AsyncClient, new_person: NewPerson, person: Person
) -> None:
    other, path = bearer(await new_person()), f"/api/v1/users/{person.id}"
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = await with_profile.request(method, path, headers=other, json={"fullName": "Mine"})
        assert answer.status_code == 404
    assert (await with_profile.get(f"{PATH}?id={person.id}", headers=other)).status_code == 503


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer nonsense"}])
async def test_without_a_good_token_there_is_nothing(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for method in ("GET", "PATCH"):
        answer = await http.request(method, PATH, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
