"""Promises of `POST /api/v1/auth/logout`."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from auth_service.container import AuthContainer

PATH = "/api/v1/auth/logout"
CLOSED = "/api/v1/auth/sessions"  # 401 without a good token, 404 with one
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


async def refresh_status(client: httpx.AsyncClient, tokens: dict[str, Any]) -> int:
    answer = await client.post("/api/v1/auth/refresh", json={"refreshToken": tokens["refreshToken"]})
    return answer.status_code


async def test_after_it_both_tokens_are_refused(auth: httpx.AsyncClient, signed_up: dict[str, Any]) -> None:
    answer = await auth.post(PATH, headers=bearer(signed_up))
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await auth.post(PATH, headers=bearer(signed_up))).status_code == 401
    assert await refresh_status(auth, signed_up) == 401


async def test_another_process_that_knew_the_token_learns_of_it(
    start: Start, auth: httpx.AsyncClient, signed_up: dict[str, Any], eventually: Eventually
) -> None:
    other, _ = await start()
    assert (await other.get(CLOSED, headers=bearer(signed_up))).status_code != 401
    await auth.post(PATH, headers=bearer(signed_up))

    async def refuses() -> bool:
        return (await other.get(CLOSED, headers=bearer(signed_up))).status_code == 401

    await eventually(refuses)


async def test_a_process_started_later_knows_of_it(
    start: Start, auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    await auth.post(PATH, headers=bearer(signed_up))
    later, _ = await start()
    assert (await later.get(CLOSED, headers=bearer(signed_up))).status_code == 401


async def test_other_sessions_of_the_person_live_on(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    elsewhere = (await auth.post("/api/v1/auth/login", json=login)).json()
    await auth.post(PATH, headers=bearer(signed_up))
    assert await refresh_status(auth, elsewhere) == 200
    assert (await auth.post(PATH, headers=bearer(elsewhere))).status_code == 204


@pytest.mark.parametrize(("part", "method"), [("_store", "end"), ("_revocations", "publish")])
async def test_a_log_out_that_failed_half_way_can_be_tried_again(
    auth: httpx.AsyncClient,
    container: AuthContainer,
    signed_up: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    method: str,
) -> None:
    broken: Any = container.sessions
    for name in part.split("."):
        broken = getattr(broken, name)

    async def fail(_: str) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as outage:
        outage.setattr(broken, method, fail)
        assert (await auth.post(PATH, headers=bearer(signed_up))).status_code == 503
    assert (await auth.post(PATH, headers=bearer(signed_up))).status_code == 204
    assert (await auth.get(CLOSED, headers=bearer(signed_up))).status_code == 401
    assert await refresh_status(auth, signed_up) == 401


async def test_it_needs_an_access_token(auth: httpx.AsyncClient) -> None:
    answer = await auth.post(PATH)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
