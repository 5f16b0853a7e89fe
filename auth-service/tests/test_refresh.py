"""Promises of `POST /api/v1/auth/refresh`; the rotation itself is in test_sessions.py."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from auth_service.accounts.repository import AccountRepository
from auth_service.container import AuthContainer
from intervai_shared.models import Document
from intervai_shared.mongo import Database

PATH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"
CLOSED = "/api/v1/auth/sessions"  # 401 without a good token, 404 with one
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    return dict(jwt.decode(tokens["accessToken"], options={"verify_signature": False}))


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


async def refresh(client: httpx.AsyncClient, tokens: dict[str, Any]) -> httpx.Response:
    return await client.post(PATH, json={"refreshToken": tokens["refreshToken"]})


async def test_the_answer_holds_the_account_and_both_tokens(auth: httpx.AsyncClient, signed_up: dict[str, Any]) -> None:
    answer = await refresh(auth, signed_up)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == set(signed_up)
    assert body["user"]["id"] == signed_up["user"]["id"]
    assert body["refreshToken"] != signed_up["refreshToken"]


async def test_the_new_access_token_is_of_the_same_session_and_good(
    auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    body = (await refresh(auth, signed_up)).json()
    before, after = claims_of(signed_up), claims_of(body)
    assert (after["sub"], after["sid"]) == (before["sub"], before["sid"])
    assert after["jti"] != before["jti"]
    assert (await auth.post(LOGOUT, headers=bearer(body))).status_code == 204


async def test_of_fifty_racing_tabs_nobody_is_logged_out(auth: httpx.AsyncClient, signed_up: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(refresh(auth, signed_up) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1
    assert (await refresh(auth, answers[0].json())).status_code == 200
    assert (await auth.post(LOGOUT, headers=bearer(answers[-1].json()))).status_code == 204


async def test_reuse_ends_the_session_in_every_process(
    start: Start, auth: httpx.AsyncClient, signed_up: dict[str, Any], eventually: Eventually
) -> None:
    other, _ = await start()
    second = (await refresh(auth, signed_up)).json()
    third = (await refresh(auth, second)).json()
    assert (await other.get(CLOSED, headers=bearer(third))).status_code != 401
    answer = await refresh(auth, signed_up)
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("The refresh token was used before.")
    assert (await refresh(auth, third)).status_code == 401
    assert (await auth.post(LOGOUT, headers=bearer(third))).status_code == 401

    async def refuses() -> bool:
        return (await other.get(CLOSED, headers=bearer(third))).status_code == 401

    await eventually(refuses)


async def test_reuse_in_one_session_leaves_the_others_of_the_person_alone(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    elsewhere = (await auth.post("/api/v1/auth/login", json=login)).json()
    second = (await refresh(auth, signed_up)).json()
    await refresh(auth, second)
    assert (await refresh(auth, signed_up)).status_code == 401
    assert (await refresh(auth, elsewhere)).status_code == 200


async def test_the_refresh_of_a_deleted_account_is_refused_and_ends_the_session(
    auth: httpx.AsyncClient, container: AuthContainer, database: Database, signed_up: dict[str, Any]
) -> None:
    await database.accounts.delete_one({"_id": ObjectId(signed_up["user"]["id"])})
    assert (await refresh(auth, signed_up)).status_code == 401
    assert not await container.resources.redis.exists(f"auth:session:{claims_of(signed_up)['sid']}")


async def test_access_and_refresh_tokens_do_not_stand_for_each_other(
    auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    swapped = {"accessToken": signed_up["refreshToken"], "refreshToken": signed_up["accessToken"]}
    assert (await refresh(auth, swapped)).status_code == 401
    assert (await auth.post(LOGOUT, headers=bearer(swapped))).status_code == 401
    assert (await refresh(auth, signed_up)).status_code == 200


@pytest.mark.parametrize("garbage", ["x", "..", "a.1.b", "a.1.é", "\x00.1.x", "ä.1.x", "x" * 512])
async def test_garbage_is_refused_as_a_problem(auth: httpx.AsyncClient, garbage: str) -> None:
    answer = await auth.post(PATH, json={"refreshToken": garbage})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("body", [b'{"refreshToken":""}', b'{"refreshToken":"\\ud800"}', b'{"refreshToken":1}'])
async def test_what_is_no_text_is_invalid(auth: httpx.AsyncClient, body: bytes) -> None:
    answer = await auth.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["refreshToken"]


async def test_without_redis_a_refresh_says_try_again_and_the_token_stays_good(
    start: Start, auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1")
    answer = await refresh(without_redis, signed_up)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert (await refresh(auth, signed_up)).status_code == 200


async def test_a_refresh_that_fails_since_mongo_is_down_does_not_spend_the_token(
    auth: httpx.AsyncClient,
    signed_up: dict[str, Any],
    container: AuthContainer,
    pass_time: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with AsyncMongoClient[Document]("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50) as nobody:
        with monkeypatch.context() as away:
            away.setattr(container.sessions, "_accounts", AccountRepository(nobody.get_database("none")))
            assert (await refresh(auth, signed_up)).status_code == 503
    pass_time(60)  # far beyond the grace time
    assert (await refresh(auth, signed_up)).status_code == 200
