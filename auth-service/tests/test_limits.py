"""Promises of the rate limits on log-in and registration."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import argon2
import httpx
import pytest
from redis.asyncio import Redis

from auth_service.caller import Caller
from auth_service.container import AuthContainer
from auth_service.guard.service import names
from auth_service.settings import AuthSettings

LOGIN = "/api/v1/auth/login"
REGISTER = "/api/v1/auth/register"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
NewRegistration = Callable[[], dict[str, Any]]


@pytest.fixture
async def limited(start: Start) -> httpx.AsyncClient:
    """An application whose limits are on, and small."""
    client, _ = await start(RATE_LIMIT_SCALE="1", RATE_LIMIT_LOGIN="3/15 minutes", RATE_LIMIT_REGISTER="2/hour")
    return client


def new_address() -> dict[str, str]:
    """The header in which the gateway tells the client's address; one that nobody else has."""
    return {"X-Forwarded-For": f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


def try_of(email: str) -> dict[str, str]:
    return {"email": email, "password": "wrong horse battery"}


def assert_refused(answer: httpx.Response, limit: int, period_seconds: int) -> None:
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert period_seconds - 60 < int(answer.headers["retry-after"]) <= period_seconds
    assert answer.headers["ratelimit-limit"] == str(limit)
    assert answer.headers["ratelimit-remaining"] == "0"


def test_by_default_ten_log_ins_in_a_quarter_of_an_hour(settings: AuthSettings) -> None:
    assert settings.rate_limit_login == "10/15 minutes"


async def test_tries_for_one_account_from_many_addresses_are_limited(
    limited: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    await limited.post(REGISTER, json=registration, headers=new_address())
    email = registration["email"]
    for spelling in (email, email.upper(), email.title()):
        assert (await limited.post(LOGIN, json=try_of(spelling), headers=new_address())).status_code == 401
    right = {"email": email, "password": registration["password"]}
    assert_refused(await limited.post(LOGIN, json=right, headers=new_address()), 3, 900)


async def test_tries_for_many_accounts_from_one_address_are_limited(limited: httpx.AsyncClient) -> None:
    address = new_address()
    for _ in range(3):
        unknown = try_of(f"{secrets.token_hex(8)}@example.com")
        assert (await limited.post(LOGIN, json=unknown, headers=address)).status_code == 401
    answer = await limited.post(LOGIN, json=try_of("another@example.com"), headers=address)
    assert_refused(answer, 3, 900)


async def test_a_refused_address_does_not_use_up_the_tries_of_an_account(
    limited: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    await limited.post(REGISTER, json=registration, headers=new_address())
    attacker = new_address()
    for _ in range(3):
        await limited.post(LOGIN, json=try_of(f"{secrets.token_hex(8)}@example.com"), headers=attacker)
    for _ in range(4):
        answer = await limited.post(LOGIN, json=try_of(registration["email"]), headers=attacker)
        assert answer.status_code == 429
    right = {"email": registration["email"], "password": registration["password"]}
    assert (await limited.post(LOGIN, json=right, headers=new_address())).status_code == 200


async def test_a_strangers_tries_do_not_use_up_those_of_the_owners_network(
    limited: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    home = new_address()
    await limited.post(REGISTER, json=registration, headers=home)
    for _ in range(4):
        await limited.post(LOGIN, json=try_of(registration["email"]), headers=new_address())
    right = {"email": registration["email"], "password": registration["password"]}
    assert (await limited.post(LOGIN, json=right, headers=new_address())).status_code == 429
    assert (await limited.post(LOGIN, json=right, headers=home)).status_code == 200


async def test_the_addresses_of_one_subscriber_count_as_one(limited: httpx.AsyncClient) -> None:
    network = f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}:7"
    statuses = []
    for number in range(4):
        address = {"X-Forwarded-For": f"{network}::{number}"}
        unknown = try_of(f"{secrets.token_hex(8)}@example.com")
        statuses.append((await limited.post(LOGIN, json=unknown, headers=address)).status_code)
    assert statuses == [401, 401, 401, 429]


async def test_no_address_of_anybody_is_to_be_read_in_redis(
    limited: httpx.AsyncClient, registration: dict[str, Any], redis: Redis
) -> None:
    address = new_address()
    await limited.post(LOGIN, json=try_of(registration["email"]), headers=address)
    caller = Caller(address["X-Forwarded-For"], "")
    assert await redis.exists(*names("password", registration["email"], caller).values()) == 3
    for what in (registration["email"].partition("@")[0], address["X-Forwarded-For"].removesuffix("::1")):
        assert [key async for key in redis.scan_iter(f"*{what}*", count=1000)] == []


async def test_a_refused_try_costs_no_hash(limited: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    address = new_address()
    for _ in range(3):
        await limited.post(LOGIN, json=try_of(f"{secrets.token_hex(8)}@example.com"), headers=address)
    hashed: list[str] = []
    monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda _, stored, __: hashed.append(stored))
    assert (await limited.post(LOGIN, json=try_of("nobody@example.com"), headers=address)).status_code == 429
    assert hashed == []


async def test_new_accounts_from_one_address_are_limited(
    limited: httpx.AsyncClient, new_registration: NewRegistration
) -> None:
    address = new_address()
    for _ in range(2):
        assert (await limited.post(REGISTER, json=new_registration(), headers=address)).status_code == 201
    assert_refused(await limited.post(REGISTER, json=new_registration(), headers=address), 2, 3600)
    assert (await limited.post(REGISTER, json=new_registration(), headers=new_address())).status_code == 201
