"""Every route is closed until its path is named public, and what is closed ends before its body is read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from intervai_shared.app import create_service_app
from intervai_shared.auth.dependencies import CallingService, CurrentUser
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings
from intervai_shared.testing import running

router = APIRouter()


class Body(BaseModel):
    text: str


@router.get("/open")
async def read_open() -> str:
    return "open"


@router.get("/things/{thing}/open")
async def read_open_thing(thing: str) -> str:
    return thing


@router.get("/things/{thing}")
async def read_closed_thing(thing: str) -> str:
    return thing


@router.get("/closed")
async def read_closed() -> str:
    return "closed"


@router.post("/closed")
async def write_closed(body: Body, user: CurrentUser) -> str:
    return f"{user.session_id} {body.text}"


@router.get("/internal/thing")
async def read_internal(service: CallingService) -> str:
    return service.name


@router.get("/misplaced")
async def read_misplaced(service: CallingService) -> str:
    return service.name


@dataclass(frozen=True)
class Container:
    resources: Resources


@pytest.fixture
def app(settings: ServiceSettings, issuer: Any) -> FastAPI:
    """A service whose keys are those of `issuer`."""

    @asynccontextmanager
    async def open_container(settings: ServiceSettings) -> AsyncIterator[Container]:
        async with open_resources(settings, {}) as resources:
            names = {"issuer": settings.token_issuer, "audience": settings.token_audience}
            verifier = TokenVerifier(issuer.key_set, resources.revocations, service=settings.service, **names)
            yield Container(replace(resources, verifier=verifier))

    return create_service_app(settings, open_container, [router], public={"/open", "/things/{thing}/open"})


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with running(app) as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_only_what_is_named_public_answers_without_a_token(client: httpx.AsyncClient) -> None:
    open_paths = ["/open", "/health/live", "/health/ready", "/metrics", "/internal/openapi.json"]
    closed = ["/closed", "/internal/thing", "/no-such-path", "/open/", "/OPEN", "/open/../closed", "//open", "/docs"]
    assert {path: (await client.get(path)).status_code for path in open_paths} == dict.fromkeys(open_paths, 200)
    assert {path: (await client.get(path)).status_code for path in closed} == dict.fromkeys(closed, 401)


async def test_the_refusal_is_a_problem_that_names_the_scheme(client: httpx.AsyncClient) -> None:
    answer = await client.get("/closed")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Authentication Required"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "Token abc", "Bearer a b"])
async def test_a_header_that_holds_no_token_is_refused(client: httpx.AsyncClient, header: str) -> None:
    assert (await client.get("/closed", headers={"Authorization": header})).status_code == 401


async def test_a_user_reaches_closed_routes_and_no_internal_one(client: httpx.AsyncClient, issuer: Any) -> None:
    headers = bearer(issuer.token(sid="s1"))
    answer = await client.post("/closed", json={"text": "hello"}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, "s1 hello")
    assert (await client.get("/internal/thing", headers=headers)).status_code == 401


async def test_a_service_reaches_internal_routes_and_nothing_else(
    client: httpx.AsyncClient, issuer: Any, service: str
) -> None:
    headers = bearer(issuer.token(sub="service:export-service", aud=service))
    answer = await client.get("/internal/thing", headers=headers)
    assert (answer.status_code, answer.json()) == (200, "export-service")
    assert (await client.get("/closed", headers=headers)).status_code == 401


async def test_a_route_for_services_outside_of_internal_stays_shut_for_users(
    client: httpx.AsyncClient, issuer: Any
) -> None:
    assert (await client.get("/misplaced", headers=bearer(issuer.token()))).status_code == 403


async def test_nothing_of_the_body_is_read_before_the_refusal(app: FastAPI, client: httpx.AsyncClient) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/closed", "raw_path": b"/closed", "headers": []}
    await app({**scope, "query_string": b"", "http_version": "1.1", "scheme": "http"}, receive, send)
    assert sent[0]["status"] == 401


async def test_a_person_over_the_general_limit_gets_429_and_others_do_not(
    settings: ServiceSettings, app: FastAPI, issuer: Any, client: httpx.AsyncClient
) -> None:
    app.state.container.resources.limits._general = "2/minute"
    mine, other = bearer(issuer.token()), bearer(issuer.token())
    assert [(await client.get("/closed", headers=mine)).status_code for _ in range(3)] == [200, 200, 429]
    assert (await client.get("/closed", headers=other)).status_code == 200


async def test_while_no_key_could_be_fetched_the_answer_is_503_and_not_401(
    client: httpx.AsyncClient, issuer: Any, no_waits: None
) -> None:
    issuer.down = True
    answer = await client.get("/closed", headers=bearer(issuer.token()))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


async def test_a_public_template_opens_what_it_matches_and_nothing_beside_it(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things/a-1/open")).json() == "a-1"
    closed = [
        "/things/open",
        "/things//open",
        "/things/a/b/open",
        "/things/a/open/",
        "/things/a/opener",
        "/x/things/a/open",
    ]
    for path in [*closed, "/things/a", "/things/a/open/../../b", "/things/%7Bthing%7D"]:
        assert (await client.get(path)).status_code == 401, path
