"""Promises of the guard where it stands: before the log-in, and on a Redis Cluster too."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import argon2
import httpx
import pytest

from auth_service.container import AuthContainer
from intervai_local import topologies
from intervai_shared.mongo import Database

LOGIN = "/api/v1/auth/login"
REGISTER = "/api/v1/auth/register"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
GUARDED = {"RATE_LIMIT_SCALE": "1", "RATE_LIMIT_LOGIN": "1000/minute", "RATE_LIMIT_REGISTER": "1000/minute"}


@pytest.fixture
async def guarded(start: Start) -> httpx.AsyncClient:
    """An application whose guard is on, and whose windows are wide."""
    return (await start(**GUARDED))[0]


def new_address() -> dict[str, str]:
    """The header in which the gateway tells the client's address, in a network that nobody else has."""
    return {"X-Forwarded-For": f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


def wrong(email: str) -> dict[str, str]:
    return {"email": email, "password": "wrong horse battery"}


def right(registration: dict[str, Any]) -> dict[str, str]:
    return {"email": registration["email"], "password": registration["password"]}


async def test_the_sixth_wrong_password_must_wait_whether_or_not_there_is_an_account(
    guarded: httpx.AsyncClient, registration: dict[str, Any], database: Database
) -> None:
    await guarded.post(REGISTER, json=registration, headers=new_address())
    said = []
    for email in (registration["email"], f"{secrets.token_hex(8)}@example.com"):
        address = new_address()
        answers = [await guarded.post(LOGIN, json=wrong(email), headers=address) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        said.append([(answer.json()["detail"], answer.headers.get("retry-after")) for answer in answers])
    assert said[0] == said[1]
    assert said[0][-1] == ("There were too many wrong tries. Please wait 1 s.", "1")
    entries = await database.audit.find({"event": "login.locked-out"}).to_list()
    assert [entry["user"] is None for entry in entries] == [False, True]


async def test_of_three_hundred_log_ins_at_once_five_are_hashed(
    guarded: httpx.AsyncClient, registration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await guarded.post(REGISTER, json=registration, headers=new_address())
    hashed: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        hashed.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    address = new_address()
    storm = (guarded.post(LOGIN, json=wrong(registration["email"]), headers=address) for _ in range(300))
    statuses = [answer.status_code for answer in await asyncio.gather(*storm)]
    # Each failure may end its second of waiting while the storm goes on: far fewer than the tries all the same.
    assert 5 <= len(hashed) == statuses.count(401) <= 10
    # Of a storm that keeps a busy machine's Redis waiting some are refused for that: not one is let through.
    assert set(statuses) <= {401, 429, 503}
    assert statuses.count(429) > 200


async def test_a_right_log_in_forgives_and_is_never_counted(
    guarded: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    address = new_address()
    await guarded.post(REGISTER, json=registration, headers=address)
    for _ in range(4):
        for _ in range(3):
            assert (await guarded.post(LOGIN, json=wrong(registration["email"]), headers=address)).status_code == 401
        for _ in range(3):
            assert (await guarded.post(LOGIN, json=right(registration), headers=address)).status_code == 200


async def test_who_registers_anothers_address_does_not_learn_from_waits_whether_it_was_free(
    start: Start, registration: dict[str, Any], new_registration: Callable[[], dict[str, Any]]
) -> None:
    guarded, _ = await start(**GUARDED, REGISTRATION_VERIFIES_EMAIL="true")
    taken = new_registration()
    await guarded.post(REGISTER, json=taken, headers=new_address())
    statuses = []
    for body in (registration, taken | {"password": "the attacker's own password"}):
        address = new_address()
        assert (await guarded.post(REGISTER, json=body, headers=address)).status_code == 202
        tries = [await guarded.post(LOGIN, json=right(body), headers=address) for _ in range(6)]
        statuses.append([answer.status_code for answer in tries])
    assert statuses[0] == statuses[1] == [401] * 5 + [429]


async def test_on_a_cluster_it_counts_as_on_one_server(
    start: Start, registration: dict[str, Any], tmp_path: Path
) -> None:
    with topologies.cluster(tmp_path / "cluster") as running:
        clustered, _ = await start(**GUARDED, REDIS_URL=running.url)
        address = new_address()
        await clustered.post(REGISTER, json=registration, headers=address)
        for _ in range(4):
            assert (await clustered.post(LOGIN, json=wrong(registration["email"]), headers=address)).status_code == 401
        assert (await clustered.post(LOGIN, json=right(registration), headers=address)).status_code == 200
        tries = [await clustered.post(LOGIN, json=wrong(registration["email"]), headers=address) for _ in range(6)]
        assert [answer.status_code for answer in tries] == [401] * 5 + [429]
