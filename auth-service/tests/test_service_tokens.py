"""Promises of `POST /internal/token`: a service's token is bound to one audience."""

import json
import os
from typing import Any

import httpx
import jwt
import pytest

from auth_service.container import AuthContainer
from intervai_shared.auth.principal import Service
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.testing import Person

PATH = "/internal/token"


@pytest.fixture
def asked() -> dict[str, str]:
    """What export-service asks when it wants to call qa-service."""
    secret = json.loads(os.environ["SERVICE_CLIENTS"])["export-service"]
    return {"clientId": "export-service", "clientSecret": secret, "audience": "qa-service"}


@pytest.fixture
async def token(auth: httpx.AsyncClient, asked: dict[str, str]) -> str:
    """What it gets."""
    answer = await auth.post(PATH, json=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


def verifier_of(service: str, container: AuthContainer) -> TokenVerifier:
    resources, settings = container.resources, container.resources.settings
    return TokenVerifier(
        resources.verifier._keys,
        resources.revocations,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        service=service,
    )


async def test_the_right_secret_gets_a_short_token(auth: httpx.AsyncClient, asked: dict[str, str]) -> None:
    body = (await auth.post(PATH, json=asked)).json()
    assert set(body) == {"accessToken", "tokenType", "expiresIn"}
    assert (body["tokenType"], body["expiresIn"]) == ("Bearer", 300)
    claims = jwt.decode(body["accessToken"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("service:export-service", "qa-service", "service")
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize(
    "change",
    [
        {"clientSecret": "wrong"},
        {"clientSecret": "wröng"},
        {"clientId": "unknown-service"},
        {"clientId": "qa-service"},
        {"audience": "unknown-service"},
        {"audience": "intervai"},
    ],
)
async def test_everything_wrong_gets_the_same_refusal(
    auth: httpx.AsyncClient, asked: dict[str, str], change: dict[str, str]
) -> None:
    answer = await auth.post(PATH, json=asked | change)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Unknown client, wrong secret, or unknown audience."


@pytest.mark.parametrize("change", [{"clientSecret": ""}, {"clientId": {"$ne": ""}}, {"audience": ["qa-service"]}])
async def test_what_is_no_text_is_invalid(
    auth: httpx.AsyncClient, asked: dict[str, str], change: dict[str, Any]
) -> None:
    assert (await auth.post(PATH, json=asked | change)).status_code == 422


async def test_only_the_service_it_is_made_for_takes_it(container: AuthContainer, token: str) -> None:
    caller = await verifier_of("qa-service", container).service(token)
    assert isinstance(caller, Service)
    assert caller.name == "export-service"
    for other in ("user-service", "export-service", "auth-service"):
        with pytest.raises(UnauthenticatedError):
            await verifier_of(other, container).service(token)


async def test_it_is_no_persons_access_token_anywhere(
    auth: httpx.AsyncClient, gateway: httpx.AsyncClient, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert (await auth.post("/api/v1/auth/logout", headers=headers)).status_code == 401
    for path in ("/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports"):
        assert (await gateway.get(path, headers=headers)).status_code == 401


async def test_a_persons_access_token_is_no_services_token(container: AuthContainer, person: Person) -> None:
    for service in ("qa-service", "intervai"):
        with pytest.raises(UnauthenticatedError):
            await verifier_of(service, container).service(person.tokens["accessToken"])


async def test_the_public_entry_point_does_not_lead_to_it(gateway: httpx.AsyncClient, asked: dict[str, str]) -> None:
    for path in (PATH, f"/auth-service{PATH}", f"/api/v1/auth/..{PATH}"):
        assert (await gateway.post(path, json=asked)).status_code == 404
