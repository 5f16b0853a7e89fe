"""Promises of `POST /api/v1/auth/login`."""

from collections.abc import Awaitable, Callable
from typing import Any

import argon2
import httpx
import jwt
import pytest

from auth_service.container import AuthContainer

PATH = "/api/v1/auth/login"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


def session_of(tokens: dict[str, Any]) -> str:
    return str(jwt.decode(tokens["accessToken"], options={"verify_signature": False})["sid"])


def without_ids(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = {key: value for key, value in answer.json().items() if key != "requestId"}
    headers = {key: value for key, value in answer.headers.items() if key != "x-request-id"}
    return answer.status_code, body, headers


@pytest.fixture
def credentials(registration: dict[str, Any], signed_up: dict[str, Any]) -> dict[str, str]:
    """What a person with an account logs in with."""
    return {"email": registration["email"], "password": registration["password"]}


@pytest.fixture
def verified(container: AuthContainer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were checked against."""
    hashes: list[str] = []
    real = argon2.PasswordHasher.verify

    def spy(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        hashes.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", spy)
    return hashes


async def test_the_answer_holds_the_account_and_tokens_of_a_new_session(
    auth: httpx.AsyncClient, signed_up: dict[str, Any], credentials: dict[str, str]
) -> None:
    answer = await auth.post(PATH, json=credentials)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == set(signed_up)
    assert body["user"] == {key: value for key, value in signed_up["user"].items() if key != "fullName"}
    assert session_of(body) != session_of(signed_up)


async def test_the_case_of_the_address_does_not_matter(
    auth: httpx.AsyncClient, signed_up: dict[str, Any], credentials: dict[str, str]
) -> None:
    answer = await auth.post(PATH, json=credentials | {"email": credentials["email"].upper()})
    assert answer.json()["user"]["id"] == signed_up["user"]["id"]


async def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(
    auth: httpx.AsyncClient, credentials: dict[str, str]
) -> None:
    wrong = await auth.post(PATH, json=credentials | {"password": "wrong horse battery"})
    unknown = await auth.post(PATH, json=credentials | {"email": "nobody@example.com"})
    assert without_ids(wrong) == without_ids(unknown)
    assert wrong.status_code == 401
    assert wrong.headers["content-type"] == "application/problem+json"


async def test_an_unknown_address_costs_as_many_hashes_as_a_known_one(
    auth: httpx.AsyncClient, credentials: dict[str, str], verified: list[str]
) -> None:
    await auth.post(PATH, json=credentials | {"email": "nobody@example.com"})
    assert len(verified) == 1
    await auth.post(PATH, json=credentials | {"password": "wrong horse battery"})
    assert len(verified) == 2
    parameters = [argon2.extract_parameters(stored) for stored in verified]
    assert parameters[0] == parameters[1]


@pytest.mark.parametrize("field", ["email", "password"])
async def test_a_query_in_place_of_a_text_is_refused(
    auth: httpx.AsyncClient, credentials: dict[str, str], field: str
) -> None:
    answer = await auth.post(PATH, json={**credentials, field: {"$gt": ""}})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_without_redis_log_in_says_try_again(start: Start, credentials: dict[str, str]) -> None:
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1", RATE_LIMIT_SCALE="1")
    answer = await without_redis.post(PATH, json=credentials)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
