"""auth-service inside the test process, with the signing keys of the running suite: tokens made here are good there."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from auth_service.app import create_app
from auth_service.container import AuthContainer
from auth_service.letters.parts import open_sender
from auth_service.letters.sender import LetterSender
from auth_service.settings import AuthSettings
from intervai_shared import redis as chassis_redis
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.settings import load_settings
from intervai_shared.testing import app_again, letters_to, running

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
                app = stack.enter_context(app_again(create_app))
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
    monkeypatch.setattr("auth_service.sessions.store.time", clock)

    def forward(seconds: float) -> None:
        clock.now += seconds

    return forward


@dataclass
class Device:
    """Somebody's authenticator app, on the clock that auth-service checks codes by: it stands until it is moved."""

    now: float
    secret: str = ""

    def code(self, steps: int = 0) -> str:
        """The code that it shows, so many time steps from now."""
        return pyotp.TOTP(self.secret).at(self.now, counter_offset=steps)

    def wait(self, seconds: float = 30) -> None:
        """Lets time go by: half a minute is the next code."""
        self.now += seconds

    def next_code(self) -> str:
        """The first code that was not shown yet."""
        self.wait()
        return self.code()

    def time(self) -> float:
        return self.now

    def utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """An app that has no secret yet."""
    made = Device(time.time() // 30 * 30)
    for module in ("totp", "challenges"):
        monkeypatch.setattr(f"auth_service.mfa.{module}.time", made)
    monkeypatch.setattr("auth_service.mfa.service.utc_now", made.utc_now)
    return made


@dataclass
class Protected:
    """A person with a second factor. `headers` are of the session that they registered with."""

    id: ObjectId
    credentials: dict[str, str]
    headers: dict[str, str]
    device: Device
    recovery_codes: list[str]


@pytest.fixture
async def protected(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any], device: Device
) -> Protected:
    """Somebody who has just switched it on, and waited for the next code."""
    headers = {"Authorization": f"Bearer {signed_up['accessToken']}"}
    set_up = await auth.post("/api/v1/auth/mfa/totp/setup", headers=headers)
    assert set_up.status_code == 200, set_up.text
    device.secret = set_up.json()["secret"]
    confirmed = await auth.post("/api/v1/auth/mfa/totp/confirm", json={"code": device.code()}, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    device.wait()
    credentials, codes = {key: registration[key] for key in ("email", "password")}, confirmed.json()["recoveryCodes"]
    return Protected(ObjectId(signed_up["user"]["id"]), credentials, headers, device, codes)


@dataclass
class PostOffice:
    """Does what the worker does with letters, when the test says so; they go to the suite's mail sink."""

    sender: LetterSender
    database: Database

    async def deliver(self) -> None:
        """Sends what waits."""
        for letter in await self.database.letters.find({"status": "queued"}).sort("_id", 1).to_list():
            await self.sender.run(letter["_id"])

    async def to(self, address: str) -> list[EmailMessage]:
        """The letters that have arrived for an address when all are sent, the first one first."""
        await self.deliver()
        found = letters_to(Path(os.environ["STATE_DIR"]) / "mail", address)
        return sorted(found, key=lambda letter: str(letter["Message-ID"]))  # they are all of this process

    async def token(self, address: str) -> str:
        """The one in the link of the last letter."""
        body = (await self.to(address))[-1].get_body(("plain",))
        assert body is not None
        return str(body.get_content()).partition("#token=")[2].split()[0]


@pytest.fixture
def post_office(container: AuthContainer, database: Database) -> PostOffice:
    """The way of letters from the application to their readers."""
    settings = container.resources.settings
    assert isinstance(settings, AuthSettings)
    return PostOffice(open_sender(container.resources, settings), database)


@pytest.fixture
def own_address() -> dict[str, str]:
    """The header by which the gateway tells an address; one in a network of its own, since the guard remembers them."""
    return {
        "X-Forwarded-For": f"2001:{secrets.randbelow(0xFFFF) + 1:x}:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"
    }


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
