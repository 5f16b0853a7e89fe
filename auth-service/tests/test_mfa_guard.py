"""Promises of the second step to somebody who guesses codes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from intervai_shared.mongo import Database

LOGIN, VERIFY = "/api/v1/auth/login", "/api/v1/auth/mfa/totp/verify"
WRONG = "000000"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


async def begin(auth: httpx.AsyncClient, protected: Any, **fields: str) -> str:
    """The first step: the token of the second."""
    answer = await auth.post(LOGIN, json={**protected.credentials, **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["mfaToken"])


async def finish(auth: httpx.AsyncClient, token: str, code: str, **headers: str) -> httpx.Response:
    return await auth.post(VERIFY, json={"mfaToken": token, "code": code}, headers=headers)


async def log_ins(database: Database, user: ObjectId) -> list[tuple[str, str]]:
    found = await database.audit.find({"user": user, "event": "login"}).sort("_id").to_list()
    return [(entry["result"], entry["details"]["how"]) for entry in found]


class GuardClock:
    """The time by which the guard locks; it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


async def test_wrong_codes_lock_the_second_step_and_a_right_password_does_not_forgive_them(
    start: Start, protected: Any, own_address: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = GuardClock()
    monkeypatch.setattr("auth_service.guard.service.time", clock)
    auth, _ = await start(RATE_LIMIT_SCALE="1", RATE_LIMIT_LOGIN="1000/hour", LOCKOUT_FIRST_SECONDS="60")
    auth.headers.update(own_address)
    token = await begin(auth, protected)
    for _ in range(5):
        assert (await finish(auth, token, WRONG)).status_code == 401
    locked = await finish(auth, await begin(auth, protected), protected.device.code())
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "60")
    stepped_up = await auth.post(
        "/api/v1/auth/reauthenticate", json={"code": protected.device.code()}, headers=protected.headers
    )
    assert stepped_up.status_code == 429
    clock.now += 60
    assert (await finish(auth, await begin(auth, protected), protected.device.code())).status_code == 200


async def test_guesses_over_many_log_ins_at_once_are_no_more_than_the_guard_lets_through(
    start: Start, protected: Any, own_address: dict[str, str], database: Database
) -> None:
    auth, _ = await start(RATE_LIMIT_SCALE="1", RATE_LIMIT_LOGIN="1000/hour", LOCKOUT_FIRST_SECONDS="60")
    auth.headers.update(own_address)
    tokens = [await begin(auth, protected) for _ in range(30)]
    answers = await asyncio.gather(*(finish(auth, token, WRONG) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 25
    assert await log_ins(database, protected.id) == [("failure", "totp")] * 5
