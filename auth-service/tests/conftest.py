"""auth-service inside the test process, with the signing keys of the running suite: tokens made here are good there."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from auth_service.app import create_app
from auth_service.container import AuthContainer
from auth_service.settings import AuthSettings
from intervai_shared import redis as chassis_redis
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.settings import load_settings
from intervai_shared.testing import running

#: Starts a process of auth-service, as it were, with these settings beside the usual ones.
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


@pytest.fixture
async def database(own_database: str) -> AsyncIterator[Database]:
    """The test's own database."""
    async with AsyncMongoClient[Document](os.environ["MONGO_URI"]) as client:
        yield client[own_database]


@pytest.fixture
async def start(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Each call opens another application on the same database."""
    known_keys = await database.client.intervai_auth.signing_keys.find().to_list()
    await database.signing_keys.insert_many(known_keys)
    async with AsyncExitStack() as stack:

        async def open_app(**settings: str) -> tuple[httpx.AsyncClient, AuthContainer]:
            with monkeypatch.context() as environment:
                for name, value in settings.items():
                    environment.setenv(name, value)
                app = create_app()
            client = await stack.enter_async_context(running(app))
            return client, app.state.container

        yield open_app


@pytest.fixture
async def auth_app(start: Start) -> tuple[httpx.AsyncClient, AuthContainer]:
    """One application with the suite's settings: no rate limits, cheap hashes."""
    return await start()


@pytest.fixture
def auth(auth_app: tuple[httpx.AsyncClient, AuthContainer]) -> httpx.AsyncClient:
    """A client of it."""
    return auth_app[0]


@pytest.fixture
def container(auth_app: tuple[httpx.AsyncClient, AuthContainer]) -> AuthContainer:
    """What it holds."""
    return auth_app[1]


@pytest.fixture
def new_registration() -> Callable[[], dict[str, Any]]:
    """Makes the body of a registration that nobody else makes."""
    return lambda: {
        "email": f"{secrets.token_hex(8)}@example.com",
        "password": "correct horse battery",
        "fullName": "Ada Lovelace",
    }


@pytest.fixture
def registration(new_registration: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One of them."""
    return new_registration()


@pytest.fixture
async def signed_up(auth: httpx.AsyncClient, registration: dict[str, Any]) -> dict[str, Any]:
    """The answer to that registration."""
    answer = await auth.post("/api/v1/auth/register", json=registration)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture
def settings(own_database: str) -> AuthSettings:
    """The settings of this test."""
    return load_settings(AuthSettings)


@pytest.fixture
async def redis(settings: AuthSettings) -> AsyncIterator[Redis]:
    """The Redis of this test."""
    async with chassis_redis.connect(settings) as client:
        yield client


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock of login sessions forward by so many seconds; it stands still otherwise."""

    class Clock:
        now = time.time()

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("auth_service.accounts.sessions.time", clock)

    def forward(seconds: float) -> None:
        clock.now += seconds

    return forward


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until something has come about, fifteen seconds at most."""

    async def wait(come_about: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(15):
            while True:
                if await come_about():
                    return
                await asyncio.sleep(0.01)

    return wait
