"""Promises of `POST /api/v1/auth/password/change`."""

from typing import Any

import httpx
import pytest

from intervai_shared.mongo import Database

CHANGE = "/api/v1/auth/password/change"
LOGIN = "/api/v1/auth/login"
NEW = "battery staple correct"
PostOffice = Any  # the class of conftest.py's fixture


async def test_a_change_keeps_this_session_and_ends_the_others(
    outcome: Any,
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
    assert await outcome.is_signed_in(elsewhere) == (False, False)
    assert await outcome.is_signed_in(signed_up) == (True, True)
    assert not await outcome.logs_in(email, registration["password"])
    assert await outcome.logs_in(email, NEW)
    assert "Your password was changed" in [letter["Subject"] for letter in await post_office.to(email)]
    entry = await database.audit.find_one({"event": "password.changed"})
    assert entry is not None
    assert (entry["result"], entry["details"]) == ("success", {"how": "password"})


async def test_a_change_needs_the_current_password(
    outcome: Any,
    auth: httpx.AsyncClient,
    database: Database,
    email: str,
    registration: dict[str, Any],
    bearer: dict[str, str],
) -> None:
    body = {"currentPassword": NEW, "newPassword": NEW}
    answer = await auth.post(CHANGE, json=body, headers=bearer)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert await outcome.logs_in(email, registration["password"])
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
