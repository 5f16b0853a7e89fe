"""An administrator of an application that runs inside the test process."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from auth_service.admin.roles import AdminRoles
from auth_service.caller import Caller
from auth_service.container import AuthContainer

LOGIN = "/api/v1/auth/login"
PASSWORD = "correct horse battery"
Register = Callable[..., Awaitable[dict[str, Any]]]


def with_token(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    """Another client of the same application."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=client._transport, base_url="http://test", headers=headers)


@pytest.fixture(autouse=True)
def own_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing of other tests is known here."""
    monkeypatch.setattr("intervai_shared.auth.revocations.STREAM", f"test-{secrets.token_hex(6)}:revocations")


@pytest.fixture
def register(auth: httpx.AsyncClient) -> Register:
    """The answer to the registration of somebody new."""

    async def make(email: str | None = None) -> dict[str, Any]:
        body = {"email": email or f"{secrets.token_hex(8)}@example.com", "password": PASSWORD, "fullName": "Ada"}
        answer = await auth.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make


@pytest.fixture
def roles(container: AuthContainer) -> AdminRoles:
    return AdminRoles(container.resources.mongo, container.audit, container.resources.revocations)


@pytest.fixture
async def boss(auth: httpx.AsyncClient, register: Register, roles: AdminRoles) -> dict[str, Any]:
    """An administrator, just logged in."""
    email = (await register("boss@example.com"))["user"]["email"]
    assert await roles.grant(email, Caller("", "command line"))
    return dict((await auth.post(LOGIN, json={"email": email, "password": PASSWORD})).json())


@pytest.fixture
def admin(auth: httpx.AsyncClient, boss: dict[str, Any]) -> httpx.AsyncClient:
    """A client with the administrator's token."""
    return with_token(auth, boss["accessToken"])
