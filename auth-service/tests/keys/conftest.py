"""The keys of a process, in a database without a key, on a clock of ours."""

import datetime as dt
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt.api_jwt
import pytest
from redis.asyncio import Redis

from auth_service.audit.repository import AuditRepository
from auth_service.audit.service import AuditLog
from auth_service.keys import repository, rotation, service, tokens
from auth_service.keys.repository import KeyRepository
from auth_service.keys.rotation import KeyRotation
from auth_service.keys.sealing import KeySeal
from auth_service.keys.service import KeyRing
from auth_service.settings import AuthSettings
from intervai_shared import mongo as chassis_mongo
from intervai_shared.auth import keys as key_sets
from intervai_shared.auth import tokens as verifiers
from intervai_shared.auth.revocations import Revocations
from intervai_shared.mongo import Mongo, ensure_indexes

SEAL = KeySeal(bytes(range(32)))


class Clock:
    """The time of everybody here; `behind` is by how much the process that looks at it just now is behind."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.behind = 0.0

    def time(self) -> float:
        return self.now - self.behind

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands still until a test moves it."""
    made = Clock()
    for module in (service, rotation, tokens, key_sets, verifiers):
        monkeypatch.setattr(module, "time", made)

    class Now(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return dt.datetime.fromtimestamp(made.now, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Now)
    return made


@pytest.fixture
async def mongo(settings: AuthSettings) -> AsyncIterator[Mongo]:
    """A database without a key."""
    connected = chassis_mongo.connect(settings)
    await ensure_indexes(connected.db, repository.INDEXES)
    yield connected
    await connected.close()


@pytest.fixture
def keys(mongo: Mongo) -> KeyRepository:
    return KeyRepository(mongo.db)


@pytest.fixture
def revocations(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Revocations:
    """On a stream of the test's own."""
    monkeypatch.setattr("intervai_shared.auth.revocations.STREAM", f"test-{secrets.token_hex(6)}:revocations")
    return Revocations(redis, 600)


@pytest.fixture
def rotate(keys: KeyRepository, mongo: Mongo, revocations: Revocations, clock: Clock) -> KeyRotation:
    """With keys that sign for thirty days."""
    return KeyRotation(keys, SEAL, mongo, AuditLog(AuditRepository(mongo.db)), revocations, 30)


@pytest.fixture
async def ring(keys: KeyRepository, clock: Clock) -> KeyRing:
    """A process's ring, with the first key."""
    made = KeyRing(keys, SEAL)
    await made.load()
    return made
