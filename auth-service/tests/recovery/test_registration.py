"""Promises of registration where the address must be confirmed first (REGISTRATION_VERIFIES_EMAIL)."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from auth_service.container import AuthContainer
from intervai_shared.mongo import Database

REGISTER, LOGIN, VERIFY = (f"/api/v1/auth/{name}" for name in ("register", "login", "email/verify"))
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
PostOffice = Any  # the class of conftest.py's fixture


@pytest.fixture
async def strict(start: Start) -> httpx.AsyncClient:
    """A process with the setting."""
    client, _ = await start(REGISTRATION_VERIFIES_EMAIL="true")
    return client


def credentials(registration: dict[str, Any]) -> dict[str, str]:
    return {key: registration[key] for key in ("email", "password")}


async def test_a_free_and_a_taken_address_get_the_same_answer_and_no_tokens(
    strict: httpx.AsyncClient, registration: dict[str, Any], database: Database
) -> None:
    answers = [await strict.post(REGISTER, json=registration | {"fullName": name}) for name in ("Ada", "Mallory")]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[0].json() == {"verificationRequired": True}
    assert {*answers[0].headers} == {*answers[1].headers}
    assert await database.accounts.count_documents({}) == 1


async def test_the_owner_of_a_taken_address_is_told_and_nobody_else(
    strict: httpx.AsyncClient, registration: dict[str, Any], database: Database, post_office: PostOffice
) -> None:
    for _ in range(2):
        await strict.post(REGISTER, json=registration)
    letters = await post_office.to(registration["email"])
    assert [letter["Subject"] for letter in letters] == [
        "Please confirm your e-mail address",
        "You have an account already",
    ]
    account = await database.accounts.find_one()
    assert account is not None
    entries = await database.audit.find({"event": "account.registered"}).sort("_id").to_list()
    assert [(entry["user"], entry["result"]) for entry in entries] == [
        (account["_id"], "success"),
        (account["_id"], "failure"),
    ]


async def test_a_log_in_is_refused_like_a_wrong_password_until_the_address_is_confirmed(
    strict: httpx.AsyncClient, registration: dict[str, Any], post_office: PostOffice
) -> None:
    await strict.post(REGISTER, json=registration)
    too_early = await strict.post(LOGIN, json=credentials(registration))
    wrong = await strict.post(LOGIN, json=credentials(registration) | {"password": "wrong horse battery"})
    assert too_early.status_code == wrong.status_code == 401
    assert too_early.json() | {"requestId": ""} == wrong.json() | {"requestId": ""}
    token = await post_office.token(registration["email"])
    assert (await strict.post(VERIFY, json={"token": token})).status_code == 200
    assert "accessToken" in (await strict.post(LOGIN, json=credentials(registration))).json()
