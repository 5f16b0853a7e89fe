"""The guard on a clock of ours, with Redis real."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from auth_service.audit.repository import AuditRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard
from auth_service.sessions.devices import new_device
from auth_service.settings import AuthSettings
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.models import Document
from intervai_shared.mongo import Database

Wait = Callable[..., Awaitable[int]]


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("auth_service.guard.service.time", made)
    return made


@pytest.fixture
def switched_on(settings: AuthSettings) -> AuthSettings:
    """The suite's settings switch limits off."""
    return settings.model_copy(update={"rate_limit_scale": 1.0})


@pytest.fixture
def guard(redis: Redis, switched_on: AuthSettings, database: Database, clock: Clock) -> LoginGuard:
    return LoginGuard(redis, switched_on, AuditLog(AuditRepository(database)))


def new_caller() -> Caller:
    """Somebody in a network that nobody else has."""
    return Caller(f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1", "a browser")


@pytest.fixture
def account() -> Document:
    """An account whose owner has logged in from `home`, see its device."""
    home = new_caller()
    key = f"{secrets.token_hex(8)}@example.com"
    return {"_id": ObjectId(), "emailKey": key, "devices": [new_device(home)], "home": home}


def _answers(value: bool) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return value

    return answer


@pytest.fixture
def wrong(guard: LoginGuard) -> Wait:
    """A wrong password (or code): the seconds that it must wait, 0 when it was let through."""

    async def attempt(key: str, caller: Caller, account: Document | None = None, kind: Any = "password") -> int:
        try:
            assert not await guard.check(kind, key, account, caller, _answers(False))
        except TooManyRequestsError as refusal:
            return int(refusal.headers["Retry-After"])
        return 0

    return attempt


@pytest.fixture
def right(guard: LoginGuard) -> Wait:
    """A right one."""

    async def attempt(key: str, caller: Caller, account: Document | None = None, kind: Any = "password") -> int:
        try:
            assert await guard.check(kind, key, account, caller, _answers(True))
        except TooManyRequestsError as refusal:
            return int(refusal.headers["Retry-After"])
        return 0

    return attempt
