"""Fixtures of all tests. They run beside a suite that `make test` starts for them, on the real parts."""

import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from bson import ObjectId
from pymongo import MongoClient

from intervai_shared.testing import NewPerson, Person

PASSWORD = "correct horse battery"


def pytest_configure() -> None:
    """Stops early, and says why, when there is no suite to test against."""
    if "GATEWAY_URL" not in os.environ:
        pytest.exit('These tests need a running suite: `make test`, or `make test ARGS="qa-service/tests -k pin"`.', 4)
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def gateway_url() -> str:
    """The public entry point."""
    return os.environ["GATEWAY_URL"]


@pytest.fixture
async def gateway(gateway_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token. It reads no certificates, which takes 27 ms: the gateway speaks plain HTTP here."""
    async with httpx.AsyncClient(base_url=gateway_url, timeout=20, verify=False) as client:
        yield client


@pytest.fixture
async def new_person(gateway: httpx.AsyncClient) -> AsyncIterator[NewPerson]:
    """Registers people through the gateway."""
    clients: list[httpx.AsyncClient] = []

    async def register() -> Person:
        email = f"{secrets.token_hex(8)}@example.com"
        body = {"email": email, "password": PASSWORD, "fullName": "Ada Lovelace"}
        answer = await gateway.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        tokens = answer.json()
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        clients.append(httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=20, verify=False))
        return Person(ObjectId(tokens["user"]["id"]), email, clients[-1], tokens)

    yield register
    for client in clients:
        await client.aclose()


@pytest.fixture
async def person(new_person: NewPerson) -> Person:
    """One signed-in person."""
    return await new_person()


@pytest.fixture
def own_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Settings in the environment for a service inside the test process: a database of the test's own, and Redis's
    database 1, so that the running suite's workers see nothing of it."""
    name = f"test_{secrets.token_hex(6)}"
    monkeypatch.setenv("MONGO_DATABASE", name)
    monkeypatch.setenv("REDIS_URL", os.environ["REDIS_URL"].removesuffix("/0") + "/1")
    monkeypatch.setenv("SERVICE_CLIENT_ID", "export-service")
    monkeypatch.setenv("SERVICE_CLIENT_SECRET", _secret_of("export-service"))
    yield name
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        # A process that a test has killed in a transaction leaves it open, and the embedded engine stands still when it
        # drops what such a transaction has written. Others' transactions are tried again by their drivers.
        client.admin.command("killAllSessions", [])
        client.drop_database(name)


def _secret_of(service: str) -> str:
    return str(json.loads(os.environ["SERVICE_CLIENTS"])[service])
