"""What a route asks of its caller beyond a good token: a recent proof of who they are, or a role."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from intervai_shared.app import create_service_app
from intervai_shared.auth.dependencies import AdminUser, RecentUser
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings
from intervai_shared.testing import running

router = APIRouter()


@router.get("/careful")
async def careful(user: RecentUser) -> str:
    return user.session_id


@router.get("/admin")
async def admin(user: AdminUser) -> str:
    return user.session_id


@dataclass(frozen=True)
class Container:
    resources: Resources


@pytest.fixture
async def client(settings: ServiceSettings, issuer: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose keys are those of `issuer`."""

    @asynccontextmanager
    async def open_container(settings: ServiceSettings) -> AsyncIterator[Container]:
        async with open_resources(settings, {}) as resources:
            names = {"issuer": settings.token_issuer, "audience": settings.token_audience}
            verifier = TokenVerifier(issuer.key_set, resources.revocations, service=settings.service, **names)
            yield Container(replace(resources, verifier=verifier))

    async with running(create_service_app(settings, open_container, [router])) as made:
        yield made


async def ask(client: httpx.AsyncClient, path: str, token: str) -> httpx.Response:
    return await client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("ago", "status"), [(0, 200), (290, 200), (310, 401), (100_000, 401)])
async def test_an_old_proof_is_not_enough_where_a_token_alone_must_not_be(
    client: httpx.AsyncClient, issuer: Any, ago: int, status: int
) -> None:
    answer = await ask(client, "/careful", issuer.token(auth_time=int(time.time()) - ago))
    assert answer.status_code == status


async def test_the_challenge_says_what_is_missing(client: httpx.AsyncClient, issuer: Any) -> None:
    answer = await ask(client, "/careful", issuer.token(auth_time=1))
    challenge = answer.headers["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert answer.json()["type"] == "urn:intervai:problem:step-up-required"
    assert "reauthenticate" in answer.json()["detail"]


async def test_a_token_that_does_not_say_when_counts_as_old(client: httpx.AsyncClient, issuer: Any) -> None:
    assert (await ask(client, "/careful", issuer.token())).status_code == 401


@pytest.mark.parametrize(
    ("roles", "status"),
    [([], 403), (["user"], 403), (["Admin"], 403), (["administrator"], 403), (["user", "admin"], 200)],
)
async def test_a_role_is_asked_for_by_its_very_name(
    client: httpx.AsyncClient, issuer: Any, roles: list[str], status: int
) -> None:
    assert (await ask(client, "/admin", issuer.token(roles=roles))).status_code == status
