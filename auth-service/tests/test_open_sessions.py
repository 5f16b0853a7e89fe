"""Promises of the list of sessions and of the ways to end them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from intervai_shared.mongo import Database

AUTH = "/api/v1/auth"
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


def session_of(tokens: dict[str, Any]) -> str:
    return str(jwt.decode(tokens["accessToken"], options={"verify_signature": False})["sid"])


async def refresh_status(client: httpx.AsyncClient, tokens: dict[str, Any]) -> int:
    return (await client.post(f"{AUTH}/refresh", json={"refreshToken": tokens["refreshToken"]})).status_code


@pytest.fixture
async def elsewhere(auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]) -> dict[str, Any]:
    """The tokens of the same person on a telephone."""
    login = {"email": registration["email"], "password": registration["password"]}
    headers = {"User-Agent": "telephone\t1.0", "X-Forwarded-For": "203.0.113.7"}
    return dict((await auth.post(f"{AUTH}/login", json=login, headers=headers)).json())


async def test_the_list_says_where_one_is_logged_in_the_newest_first(
    auth: httpx.AsyncClient, signed_up: dict[str, Any], elsewhere: dict[str, Any]
) -> None:
    answer = (await auth.get(f"{AUTH}/sessions", headers=bearer(signed_up))).json()
    assert answer["nextCursor"] is None
    assert [item["id"] for item in answer["items"]] == [session_of(elsewhere), session_of(signed_up)]
    assert [item["isCurrent"] for item in answer["items"]] == [False, True]
    assert answer["items"][0]["userAgent"] == "telephone1.0"
    assert answer["items"][0]["address"] == "203.0.113.7"


async def test_a_refresh_shows_in_the_list_and_nothing_of_its_token(
    auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    headers = {"User-Agent": "updated", "X-Forwarded-For": "198.51.100.9"}
    body = {"refreshToken": signed_up["refreshToken"]}
    second = (await auth.post(f"{AUTH}/refresh", json=body, headers=headers)).json()
    listed = await auth.get(f"{AUTH}/sessions", headers=bearer(second))
    (item,) = listed.json()["items"]
    assert (item["userAgent"], item["address"]) == ("updated", "198.51.100.9")
    assert item["lastUsedAt"] > item["createdAt"]
    assert second["refreshToken"].rpartition(".")[2] not in listed.text


async def test_an_ended_session_is_refused_and_gone_from_the_list(
    auth: httpx.AsyncClient, start: Start, signed_up: dict[str, Any], elsewhere: dict[str, Any], eventually: Eventually
) -> None:
    other_process, _ = await start()
    assert (await other_process.get(f"{AUTH}/sessions", headers=bearer(elsewhere))).status_code == 200
    path = f"{AUTH}/sessions/{session_of(elsewhere)}"
    assert (await auth.delete(path, headers=bearer(signed_up))).status_code == 204
    assert await refresh_status(auth, elsewhere) == 401
    assert len((await auth.get(f"{AUTH}/sessions", headers=bearer(signed_up))).json()["items"]) == 1
    assert (await auth.delete(path, headers=bearer(signed_up))).status_code == 404

    async def refused() -> bool:
        return (await other_process.get(f"{AUTH}/sessions", headers=bearer(elsewhere))).status_code == 401

    await eventually(refused)


async def test_nobody_ends_the_session_of_another_person(
    auth: httpx.AsyncClient, new_registration: Callable[[], dict[str, Any]], signed_up: dict[str, Any]
) -> None:
    stranger = (await auth.post(f"{AUTH}/register", json=new_registration())).json()
    path = f"{AUTH}/sessions/{session_of(signed_up)}"
    assert (await auth.delete(path, headers=bearer(stranger))).status_code == 404
    assert await refresh_status(auth, signed_up) == 200


async def test_log_out_everywhere_ends_every_session_of_the_person_and_no_others(
    auth: httpx.AsyncClient,
    new_registration: Callable[[], dict[str, Any]],
    signed_up: dict[str, Any],
    elsewhere: dict[str, Any],
) -> None:
    stranger = (await auth.post(f"{AUTH}/register", json=new_registration())).json()
    assert (await auth.post(f"{AUTH}/logout-all", headers=bearer(signed_up))).status_code == 204
    for tokens in (signed_up, elsewhere):
        assert (await auth.get(f"{AUTH}/sessions", headers=bearer(tokens))).status_code == 401
        assert await refresh_status(auth, tokens) == 401
    assert await refresh_status(auth, stranger) == 200


async def test_a_session_that_redis_brings_back_after_log_out_everywhere_is_refused(
    auth: httpx.AsyncClient, container: AuthContainer, signed_up: dict[str, Any]
) -> None:
    redis, name = container.resources.redis, f"auth:session:{session_of(signed_up)}"
    before = await redis.hgetall(name)
    await auth.post(f"{AUTH}/logout-all", headers=bearer(signed_up))
    await redis.hset(name, mapping=before)  # as a fail-over to a replica that was behind
    assert await refresh_status(auth, signed_up) == 401
    assert not await redis.exists(name)


async def test_a_session_that_the_list_does_not_name_ends_with_the_others_all_the_same(
    auth: httpx.AsyncClient, container: AuthContainer, signed_up: dict[str, Any], elsewhere: dict[str, Any]
) -> None:
    await container.resources.redis.delete(f"auth:sessions:{signed_up['user']['id']}")
    await auth.post(f"{AUTH}/logout-all", headers=bearer(signed_up))
    assert await refresh_status(auth, elsewhere) == 401
    assert (await auth.get(f"{AUTH}/sessions", headers=bearer(signed_up))).status_code == 401


async def test_all_can_be_ended_but_the_one_that_asks(
    auth: httpx.AsyncClient, container: AuthContainer, signed_up: dict[str, Any], elsewhere: dict[str, Any]
) -> None:
    await container.sessions.end_all(ObjectId(signed_up["user"]["id"]), keep=session_of(signed_up))
    assert await refresh_status(auth, signed_up) == 200
    assert (await auth.get(f"{AUTH}/sessions", headers=bearer(signed_up))).status_code == 200
    assert await refresh_status(auth, elsewhere) == 401


async def test_a_log_in_after_all_were_ended_is_as_good_as_ever(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    await auth.post(f"{AUTH}/logout-all", headers=bearer(signed_up))
    login = {"email": registration["email"], "password": registration["password"]}
    again = (await auth.post(f"{AUTH}/login", json=login)).json()
    assert (await auth.get(f"{AUTH}/sessions", headers=bearer(again))).status_code == 200
    assert await refresh_status(auth, again) == 200


@pytest.mark.parametrize("lock", [True, False])
async def test_a_locked_account_gets_no_tokens(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], signed_up: dict[str, Any], lock: bool
) -> None:
    change = {"$set": {"lockedAt": ObjectId().generation_time if lock else None}}
    await database.accounts.update_one({}, change)
    login = {"email": registration["email"], "password": registration["password"]}
    expected = 401 if lock else 200
    assert (await auth.post(f"{AUTH}/login", json=login)).status_code == expected
    assert await refresh_status(auth, signed_up) == expected


async def test_a_new_device_is_an_event_and_a_known_one_is_none(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], elsewhere: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    for _ in range(3):
        headers = {
            "User-Agent": "telephone\t1.0",
            "X-Forwarded-For": "203.0.113.99",
        }  # another address of the same network
        assert (await auth.post(f"{AUTH}/login", json=login, headers=headers)).status_code == 200
    events = await database.events.find({"type": "user.new-device"}).to_list()
    assert [event["data"]["userAgent"] for event in events] == ["telephone1.0"]
    assert events[0]["data"]["address"] == "203.0.113.7"


@pytest.mark.parametrize(
    ("wishes", "letters"),
    [
        ([], 1),
        ([(1, False)], 0),
        ([(1, False), (2, True)], 1),
        ([(2, False), (1, True)], 0),
        ([(3, False), (3, True)], 0),
    ],
)
async def test_who_wants_no_letter_of_new_devices_gets_none_and_the_latest_wish_counts(
    auth: httpx.AsyncClient,
    container: AuthContainer,
    database: Database,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    wishes: list[tuple[int, bool]],
    letters: int,
) -> None:
    user = signed_up["user"]["id"]
    for sequence, wanted in wishes:
        event = {"sequence": sequence, "data": {"user": user, "mail": {"newDevice": wanted, "weeklyReview": False}}}
        await container.resources.outbox.transaction(partial(container.accounts.take_preferences, event))
    login = {"email": registration["email"], "password": registration["password"]}
    await auth.post(f"{AUTH}/login", json=login, headers={"User-Agent": "new", "X-Forwarded-For": "192.0.2.1"})
    assert await database.letters.count_documents({"kind": "new-device"}) == letters
    assert await database.events.count_documents({"type": "user.new-device"}) == 1


async def test_no_more_than_twenty_devices_are_remembered(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    for number in range(22):
        await auth.post(f"{AUTH}/login", json=login, headers={"X-Forwarded-For": f"10.0.{number}.1"})
    account = await database.accounts.find_one()
    assert account is not None
    assert [device["network"] for device in account["devices"]] == [f"10.0.{number}.0/24" for number in range(2, 22)]
