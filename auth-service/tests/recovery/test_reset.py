"""Promises of the routes that set another password by letter."""

import asyncio
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database

FORGOT, RESET, CHANGE = (f"/api/v1/auth/password/{name}" for name in ("forgot", "reset", "change"))
LOGIN = "/api/v1/auth/login"
NEW = "battery staple correct"
TRIES = 200
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
PostOffice = Any  # the class of conftest.py's fixture


async def reset_token(auth: httpx.AsyncClient, post_office: PostOffice, email: str) -> str:
    """The token of a fresh letter."""
    assert (await auth.post(FORGOT, json={"email": email})).status_code == 202
    return str(await post_office.token(email))


def assert_link_void(answer: httpx.Response) -> None:
    """The one answer to all tokens that are not good."""
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"] == "This link is not good, or not any more. Please ask for a new letter."


async def test_a_letter_sets_a_new_password_and_ends_every_session(
    outcome: Any,
    auth: httpx.AsyncClient,
    database: Database,
    email: str,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    post_office: PostOffice,
) -> None:
    token = await reset_token(auth, post_office, email)
    assert await outcome.logs_in(email, registration["password"])
    answer = await auth.post(RESET, json={"token": token, "newPassword": NEW})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await outcome.is_signed_in(signed_up) == (False, False)
    assert not await outcome.logs_in(email, registration["password"])
    assert await outcome.logs_in(email, NEW)
    letter = (await post_office.to(email))[-1]
    assert letter["Subject"] == "Your password was changed"
    entry = await database.audit.find_one({"event": "password.changed"})
    assert entry is not None
    assert (entry["result"], entry["details"]) == ("success", {"how": "letter"})


async def test_who_has_followed_the_letter_has_confirmed_the_address(
    auth: httpx.AsyncClient, database: Database, email: str, post_office: PostOffice
) -> None:
    token = await reset_token(auth, post_office, email)
    await auth.post(RESET, json={"token": token, "newPassword": NEW})
    account = await database.accounts.find_one({"emailKey": email})
    assert account is not None
    assert account["emailVerifiedAt"] is not None


async def test_of_fifty_uses_of_one_link_at_once_one_wins(
    outcome: Any, auth: httpx.AsyncClient, database: Database, email: str, post_office: PostOffice
) -> None:
    token = await reset_token(auth, post_office, email)
    passwords = [f"{NEW} {number}" for number in range(50)]
    answers = await asyncio.gather(
        *(auth.post(RESET, json={"token": token, "newPassword": password}) for password in passwords)
    )
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 49}
    winner = next(password for password, answer in zip(passwords, answers, strict=True) if answer.is_success)
    assert await outcome.logs_in(email, winner)
    assert await database.letters.count_documents({"kind": "password-changed"}) == 1
    assert_link_void(await auth.post(RESET, json={"token": token, "newPassword": NEW}))


async def test_a_link_is_good_for_half_an_hour(
    auth: httpx.AsyncClient, database: Database, email: str, post_office: PostOffice
) -> None:
    token = await reset_token(auth, post_office, email)
    # It is in the post a moment before its record says so.
    while (letter := await database.letters.find_one({"kind": "reset-password", "finishedAt": {"$ne": None}})) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert timedelta(minutes=29) < letter["expiresAt"] - letter["finishedAt"] <= timedelta(minutes=30)
    await database.letters.update_one({"_id": letter["_id"]}, {"$set": {"expiresAt": utc_now()}})
    assert_link_void(await auth.post(RESET, json={"token": token, "newPassword": NEW}))


async def test_a_newer_letter_makes_the_older_one_void(
    auth: httpx.AsyncClient, email: str, post_office: PostOffice
) -> None:
    older, newer = [await reset_token(auth, post_office, email) for _ in range(2)]
    assert_link_void(await auth.post(RESET, json={"token": older, "newPassword": NEW}))
    assert (await auth.post(RESET, json={"token": newer, "newPassword": NEW})).status_code == 204


async def test_a_change_of_the_password_makes_a_letter_void(
    auth: httpx.AsyncClient,
    email: str,
    registration: dict[str, Any],
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    token = await reset_token(auth, post_office, email)
    body = {"currentPassword": registration["password"], "newPassword": NEW}
    assert (await auth.post(CHANGE, json=body, headers=bearer)).status_code == 204
    assert_link_void(await auth.post(RESET, json={"token": token, "newPassword": NEW + "!"}))


async def test_a_letter_to_an_address_that_the_account_has_no_more_is_void(
    auth: httpx.AsyncClient, database: Database, email: str, post_office: PostOffice
) -> None:
    token = await reset_token(auth, post_office, email)
    await database.accounts.update_one({"email": email}, {"$set": {"email": "new@a.com", "emailKey": "new@a.com"}})
    assert_link_void(await auth.post(RESET, json={"token": token, "newPassword": NEW}))
    account = await database.accounts.find_one({"email": "new@a.com"})
    assert account is not None
    assert account["sessionsEpoch"] == 0


@pytest.mark.parametrize("password", ["password123", "7 chars", "x" * 129, None, {"$gt": ""}])
async def test_a_password_that_is_refused_does_not_spend_the_link(
    auth: httpx.AsyncClient, email: str, post_office: PostOffice, password: Any
) -> None:
    token = await reset_token(auth, post_office, email)
    answer = await auth.post(RESET, json={"token": token, "newPassword": password})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "newPassword"
    assert (await auth.post(RESET, json={"token": token, "newPassword": NEW})).status_code == 204


async def test_a_locked_account_gets_no_letter(
    auth: httpx.AsyncClient, database: Database, email: str, post_office: PostOffice
) -> None:
    before = len(await post_office.to(email))
    await database.accounts.update_one({"email": email}, {"$set": {"lockedAt": utc_now()}})
    assert (await auth.post(FORGOT, json={"email": email})).status_code == 202
    assert len(await post_office.to(email)) == before


async def test_whoever_took_anothers_address_is_out_with_their_second_factor_once_the_owner_comes(
    outcome: Any, auth: httpx.AsyncClient, database: Database, protected: Any, post_office: PostOffice
) -> None:
    email = protected.credentials["email"]
    token = await reset_token(auth, post_office, email)
    assert (await auth.post(RESET, json={"token": token, "newPassword": NEW})).status_code == 204
    assert await outcome.logs_in(email, NEW)
    assert "accessToken" in (await auth.post(LOGIN, json={"email": email, "password": NEW})).json()
    assert await database.audit.count_documents({"event": "mfa.disabled"}) == 1


async def test_who_was_in_before_cannot_change_the_address_after_a_new_password(
    auth: httpx.AsyncClient,
    database: Database,
    email: str,
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    thief = f"{secrets.token_hex(8)}@example.com"
    answer = await auth.post("/api/v1/auth/email/change", json={"newEmail": thief}, headers=bearer)
    assert answer.status_code == 202
    link = await post_office.token(thief)
    token = await reset_token(auth, post_office, email)
    assert (await auth.post(RESET, json={"token": token, "newPassword": NEW})).status_code == 204
    assert_link_void(await auth.post("/api/v1/auth/email/verify", json={"token": link}))
    assert await database.accounts.count_documents({"email": email}) == 1


async def test_a_second_factor_stays_on(
    auth: httpx.AsyncClient, database: Database, protected: Any, post_office: PostOffice
) -> None:
    confirmed = {"$set": {"emailVerifiedAt": utc_now()}}
    await database.accounts.update_one({"_id": protected.id}, confirmed)
    before = await database.accounts.find_one({"_id": protected.id})
    token = await reset_token(auth, post_office, protected.credentials["email"])
    assert (await auth.post(RESET, json={"token": token, "newPassword": NEW})).status_code == 204
    after = await database.accounts.find_one({"_id": protected.id})
    assert before is not None
    assert after is not None
    assert after["mfa"] == before["mfa"]
    answer = await auth.post(LOGIN, json=protected.credentials | {"password": NEW})
    assert answer.json()["mfaRequired"]


async def test_without_redis_the_password_is_set_and_sessions_end_when_redis_is_back(
    outcome: Any,
    start: Start,
    auth: httpx.AsyncClient,
    container: AuthContainer,
    database: Database,
    email: str,
    signed_up: dict[str, Any],
    post_office: PostOffice,
) -> None:
    token = await reset_token(auth, post_office, email)
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1")
    assert (await without_redis.post(RESET, json={"token": token, "newPassword": NEW})).status_code == 204
    job = await database.outbox.find_one({"name": "end_sessions"})
    assert job is not None
    assert job["args"] == [signed_up["user"]["id"], None]
    await container.sessions.end_all(ObjectId(job["args"][0]), keep=job["args"][1])
    assert await outcome.is_signed_in(signed_up) == (False, False)


@pytest.mark.parametrize("path", [FORGOT, "/api/v1/auth/email/resend"])
async def test_the_time_of_an_answer_shows_nobody_who_has_an_account(
    auth: httpx.AsyncClient, email: str, path: str
) -> None:
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * TRIES):
        known = number % 2 == 0
        address = email if known else f"{secrets.token_hex(8)}@example.com"
        began = time.perf_counter()
        assert (await auth.post(path, json={"email": address})).status_code == 202
        times[known].append(time.perf_counter() - began)
    assert abs(statistics.median(times[True]) - statistics.median(times[False])) < 0.010
