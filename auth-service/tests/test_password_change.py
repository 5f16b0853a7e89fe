"""Promises of `POST /api/v1/auth/password/change`."""

from typing import Any

import httpx
import pytest

from intervai_shared.mongo import Database

CHANGE = "/api/v1/auth/password/change"
LOGIN, REFRESH, ME = "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/sessions"
NEW = "battery staple correct"
PostOffice = Any  # the class of conftest.py's fixture


@pytest.fixture
def bearer(signed_up: dict[str, Any]) -> dict[str, str]:
    """Who has just registered."""
    return {"Authorization": f"Bearer {signed_up['accessToken']}"}


@pytest.fixture
def email(registration: dict[str, Any], signed_up: dict[str, Any]) -> str:
    """The address of an account."""
    return str(registration["email"])


async def logs_in(auth: httpx.AsyncClient, email: str, password: str) -> bool:
    answer = await auth.post(LOGIN, json={"email": email, "password": password})
    assert answer.status_code in {200, 401}
    return answer.is_success


async def is_signed_in(auth: httpx.AsyncClient, tokens: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the access token and the refresh token of somebody are good."""
    seen = await auth.get(ME, headers={"Authorization": f"Bearer {tokens['accessToken']}"})
    refreshed = await auth.post(REFRESH, json={"refreshToken": tokens["refreshToken"]})
    return seen.is_success, refreshed.is_success


async def test_a_change_keeps_this_session_and_ends_the_others(
    auth: httpx.AsyncClient,
    database: Database,
    email: str,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    credentials = {"email": email, "password": registration["password"]}
    elsewhere = (await auth.post(LOGIN, json=credentials)).json()
    body = {"currentPassword": registration["password"], "newPassword": NEW}
    answer = await auth.post(CHANGE, json=body, headers=bearer)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await is_signed_in(auth, elsewhere) == (False, False)
    assert await is_signed_in(auth, signed_up) == (True, True)
    assert not await logs_in(auth, email, registration["password"])
    assert await logs_in(auth, email, NEW)
    assert "Your password was changed" in [letter["Subject"] for letter in await post_office.to(email)]
    entry = await database.audit.find_one({"event": "password.changed"})
    assert entry is not None
    assert (entry["result"], entry["details"]) == ("success", {"how": "password"})


async def test_a_change_needs_the_current_password(
    auth: httpx.AsyncClient,
    database: Database,
    email: str,
    registration: dict[str, Any],
    bearer: dict[str, str],
) -> None:
    body = {"currentPassword": NEW, "newPassword": NEW}
    answer = await auth.post(CHANGE, json=body, headers=bearer)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert await logs_in(auth, email, registration["password"])
    assert await database.audit.count_documents({"event": "password.changed", "result": "failure"}) == 1
    assert await database.letters.count_documents({"kind": "password-changed"}) == 0


@pytest.mark.parametrize("password", ["correct horse battery", "password123"])
async def test_a_change_to_the_old_password_or_to_a_common_one_is_refused(
    auth: httpx.AsyncClient, registration: dict[str, Any], bearer: dict[str, str], password: str
) -> None:
    body = {"currentPassword": registration["password"], "newPassword": password}
    answer = await auth.post(CHANGE, json=body, headers=bearer)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["newPassword"]
