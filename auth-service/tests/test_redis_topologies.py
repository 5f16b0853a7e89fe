"""Log-in with Sentinels and on a Cluster, before and after the master of the sessions has died."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from auth_service.container import AuthContainer
from intervai_local import topologies
from intervai_local.topologies import Topology

Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
CLOSED = "/api/v1/auth/sessions"  # 401 without a good token, 404 with one


@pytest.fixture(params=["sentinels", "cluster"])
def topology(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp("valkeys")
    with getattr(topologies, request.param)(folder / request.param) as running:
        yield running


@pytest.fixture
async def auth(start: Start, topology: Topology) -> httpx.AsyncClient:
    client, _ = await start(REDIS_URL=topology.url)
    return client


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


async def refresh(client: httpx.AsyncClient, tokens: dict[str, Any]) -> httpx.Response:
    return await client.post("/api/v1/auth/refresh", json={"refreshToken": tokens["refreshToken"]})


async def test_log_in_goes_on_over_a_fail_over_and_nobody_is_logged_out(
    auth: httpx.AsyncClient,
    start: Start,
    topology: Topology,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    eventually: Eventually,
) -> None:
    other, _ = await start(REDIS_URL=topology.url)
    login = {"email": registration["email"], "password": registration["password"]}
    elsewhere = [(await auth.post("/api/v1/auth/login", json=login)).json() for _ in range(8)]
    tokens = (await refresh(auth, signed_up)).json()
    await asyncio.to_thread(topology.settle)
    failing_over = asyncio.create_task(asyncio.to_thread(topology.fail_over, f"auth:session:{session_id(tokens)}"))
    answers = []
    while not failing_over.done():
        answers.append(await auth.post("/api/v1/auth/login", json=login))
        await asyncio.sleep(0.05)
    await failing_over
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} == {503}
    assert all("Retry-After" in answer.headers for answer in refused)

    async def logs_in() -> bool:
        return {(await auth.post("/api/v1/auth/login", json=login)).status_code for _ in range(8)} == {200}

    await eventually(logs_in)
    for kept in (tokens, *elsewhere):
        assert (await refresh(auth, kept)).status_code == 200
    assert (await auth.post("/api/v1/auth/logout", headers=bearer(tokens))).status_code == 204

    async def refuses() -> bool:
        return (await other.get(CLOSED, headers=bearer(tokens))).status_code == 401

    await eventually(refuses)
    assert (await refresh(auth, tokens)).status_code == 401


def session_id(tokens: dict[str, Any]) -> str:
    return str(tokens["refreshToken"].partition(".")[0])
