"""Promises of the admin routes: locked means locked everywhere, and logged out too."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from redis.asyncio import Redis

from auth_service.container import AuthContainer
from auth_service.sessions.devices import KnownDevices
from intervai_shared.auth import revocations
from intervai_shared.auth.principal import User
from intervai_shared.mongo import Database

USERS = "/api/v1/auth/admin/users"
LOGIN = "/api/v1/auth/login"
PASSWORD = "correct horse battery"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
Register = Callable[..., Awaitable[dict[str, Any]]]
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def with_token(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    """Another client of the same application."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=client._transport, base_url="http://test", headers=headers)


def login_of(account: dict[str, Any]) -> dict[str, str]:
    return {"email": account["user"]["email"], "password": PASSWORD}


async def refresh(client: httpx.AsyncClient, tokens: dict[str, Any]) -> int:
    answer = await client.post("/api/v1/auth/refresh", json={"refreshToken": tokens["refreshToken"]})
    return answer.status_code


async def test_a_locked_account_is_out_everywhere_and_in_again_when_unlocked(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, start: Start, register: Register, eventually: Eventually
) -> None:
    other_process, _ = await start()
    someone = await register()
    elsewhere = (await auth.post(LOGIN, json=login_of(someone))).json()
    path = f"{USERS}/{someone['user']['id']}"
    locked = await admin.post(f"{path}/lock", json={"reason": " Reported as taken over "})
    assert locked.status_code == 200
    assert locked.json()["lockedAt"]
    assert locked.json()["lockReason"] == "Reported as taken over"
    for tokens in (someone, elsewhere):
        client = with_token(other_process, tokens["accessToken"])

        async def is_out(client: httpx.AsyncClient = client) -> bool:
            return (await client.get("/api/v1/auth/sessions")).status_code == 401

        await eventually(is_out)
        assert await refresh(auth, tokens) == 401
    answer = await auth.post(LOGIN, json=login_of(someone))
    assert (answer.status_code, answer.json()["detail"][:29]) == (401, "This account has been locked.")
    wrong = await auth.post(LOGIN, json=login_of(someone) | {"password": "wrong horse battery"})
    assert wrong.json()["detail"] == "The e-mail address or the password is wrong."
    assert (await admin.get(path)).json()["openSessions"] == 0

    unlocked = (await admin.post(f"{path}/unlock")).json()
    assert (unlocked["lockedAt"], unlocked["lockReason"], unlocked["lockedBy"]) == (None, None, None)
    assert await refresh(auth, someone) == 401
    assert (await auth.post(LOGIN, json=login_of(someone))).status_code == 200


async def test_who_is_signing_in_while_the_account_is_locked_gets_no_session(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await register()
    path = f"{USERS}/{someone['user']['id']}"

    async def locked_meanwhile(*_: Any) -> None:
        assert (await admin.post(f"{path}/lock", json={"reason": "x"})).status_code == 200

    monkeypatch.setattr(KnownDevices, "seen", locked_meanwhile)
    answer = await auth.post(LOGIN, json=login_of(someone))
    assert answer.status_code == 401
    assert (await admin.get(path)).json()["openSessions"] == 0


async def test_a_token_that_a_refresh_issues_while_the_account_is_locked_is_refused(
    admin: httpx.AsyncClient, container: AuthContainer, register: Register
) -> None:
    someone = await register()
    claims = jwt.decode(someone["accessToken"], options={"verify_signature": False})
    await admin.post(f"{USERS}/{someone['user']['id']}/lock", json={"reason": "x"})
    user, later = ObjectId(claims["sub"]), int(time.time()) + 2
    of_old_session = User(user, claims["sid"], frozenset(), later + 600, issued_at=later)
    of_new_session = User(user, "opened when unlocked", frozenset(), later + 600, issued_at=later)
    assert container.resources.revocations.covers(of_old_session)
    assert not container.resources.revocations.covers(of_new_session)


async def test_a_step_up_is_of_no_use_to_a_locked_account(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, register: Register, database: Database
) -> None:
    someone = await register()
    client = with_token(auth, someone["accessToken"])
    locked = {"$set": {"lockedAt": "now"}}  # the moment before its tokens are revoked
    await database.accounts.update_one({"_id": ObjectId(someone["user"]["id"])}, locked)
    answer = await client.post("/api/v1/auth/reauthenticate", json={"password": PASSWORD})
    assert answer.status_code == 401


async def test_locking_twice_is_said_once_and_ends_again_what_there_is(
    admin: httpx.AsyncClient, register: Register, database: Database, redis: Redis
) -> None:
    someone = await register()
    path = f"{USERS}/{someone['user']['id']}"
    for reason in ("first", "second"):
        answer = await admin.post(f"{path}/lock", json={"reason": reason})
        assert (answer.status_code, answer.json()["lockReason"]) == (200, "first")
        revoked = await redis.xrevrange(revocations.STREAM, count=1)
        assert revoked[0][1] == {b"uid": someone["user"]["id"].encode()}
        await redis.delete(revocations.STREAM)
    for _ in range(2):
        assert (await admin.post(f"{path}/unlock")).status_code == 200
    events = [entry["event"] async for entry in database.audit.find({"user": ObjectId(someone["user"]["id"])})]
    assert sorted(events) == ["account.locked", "account.registered", "account.unlocked"]


async def test_a_forced_log_out_ends_all_sessions_and_lets_the_owner_log_in_again(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, register: Register
) -> None:
    someone = await register()
    elsewhere = (await auth.post(LOGIN, json=login_of(someone))).json()
    assert (await admin.post(f"{USERS}/{someone['user']['id']}/logout")).status_code == 204
    for tokens in (someone, elsewhere):
        client = with_token(auth, tokens["accessToken"])
        assert (await client.get("/api/v1/auth/sessions")).status_code == 401
        assert await refresh(auth, tokens) == 401
    assert (await auth.post(LOGIN, json=login_of(someone))).status_code == 200


async def test_a_forced_log_out_reaches_sessions_that_redis_has_lost_from_its_list(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, register: Register, redis: Redis
) -> None:
    someone = await register()
    assert await redis.delete(f"auth:sessions:{someone['user']['id']}")
    assert (await admin.post(f"{USERS}/{someone['user']['id']}/logout")).status_code == 204
    client = with_token(auth, someone["accessToken"])
    assert (await client.get("/api/v1/auth/sessions")).status_code == 401
    assert await refresh(auth, someone) == 401
