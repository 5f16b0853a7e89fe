"""What all routes of server-sent events promise."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bson import ObjectId
from fastapi import Request
from redis.asyncio import Redis

from intervai_shared.auth.principal import User
from intervai_shared.auth.revocations import Revocations
from intervai_shared.http.health import Health
from intervai_shared.http.sse import Updates, _while_welcome


def a_user(expires_in: float = 600) -> User:
    now = int(time.time())
    return User(ObjectId(), "session", frozenset(), expires_at=int(now + expires_in), issued_at=now)


class Numbers:
    """A stream of numbers; knows whether it has been closed."""

    closed = False

    async def begin(self) -> Updates:
        try:
            for number in range(100):
                yield number
        finally:
            self.closed = True


@pytest.fixture
def resources(redis: Redis) -> Any:
    return SimpleNamespace(revocations=Revocations(redis, 600), health=Health())


async def watched(resources: Any, user: User, numbers: Numbers) -> AsyncGenerator[Any, None]:
    state = SimpleNamespace(container=SimpleNamespace(resources=resources))
    request = cast("Request", SimpleNamespace(app=SimpleNamespace(state=state)))
    return (await _while_welcome(request, user))(numbers.begin())


async def taken(updates: AsyncIterator[int]) -> list[int]:
    return [update async for update in updates]


async def test_a_stream_of_a_good_token_goes_through_whole(resources: Any) -> None:
    assert await taken(await watched(resources, a_user(), Numbers())) == list(range(100))


async def test_a_stream_ends_when_its_login_session_or_all_of_the_person_is_revoked(resources: Any) -> None:
    for kind, name in (("sid", lambda user: user.session_id), ("uid", lambda user: str(user.id))):
        user, numbers = a_user(), Numbers()
        updates = await watched(resources, user, numbers)
        assert [await anext(updates), await anext(updates)] == [0, 1]
        resources.revocations._add(kind, name(user), time.time())
        assert await taken(updates) == []
        assert numbers.closed
        resources.revocations._forget(time.time() + 10_000)


async def test_a_stream_ends_when_its_token_expires(resources: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Numbers()
    updates = await watched(resources, a_user(expires_in=60), numbers)
    assert await anext(updates) == 0
    later = time.time() + 61
    monkeypatch.setattr("intervai_shared.http.sse.time", SimpleNamespace(time=lambda: later))
    assert await taken(updates) == []
    assert numbers.closed


async def test_a_stream_ends_when_its_process_is_about_to(resources: Any) -> None:
    numbers = Numbers()
    updates = await watched(resources, a_user(), numbers)
    assert await anext(updates) == 0
    resources.health.draining = True  # the gateway may still send here: who came back now would meet the same process
    assert await anext(updates) == 1
    resources.health.closing = True
    assert await taken(updates) == []
    assert numbers.closed
