"""Promises of `GET /api/v1/notifications/stream`: nothing missed, nothing twice, and an end with the token."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared.live import LiveUpdates
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person
from user_service.container import UserContainer
from user_service.notifications.tasks import announce_notification

PATH = "/api/v1/notifications"
STREAM = f"{PATH}/stream"
Happens = Callable[..., Awaitable[Document]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]
Heard = list[tuple[str, str, Document]]
Follow = Callable[..., Awaitable[Heard]]


@pytest.fixture
def container(user_app: tuple[httpx.AsyncClient, UserContainer]) -> UserContainer:
    return user_app[1]


@pytest.fixture
def follow(container: UserContainer, person: Person) -> Follow:
    """`follow(3, last_id=…)`: the next three updates, silences left out."""

    async def listen(count: int, last_id: str | None = None, user: ObjectId = person.id) -> Heard:
        heard: Heard = []
        opening = await container.notifications.opening(user, last_id)
        async with asyncio.timeout(30), aclosing(container.notifications.follow(user, opening)) as updates:
            async for update in updates:
                heard += [update] if update else []
                if len(heard) == count:
                    break
        return heard

    return listen


@pytest.fixture
def arrives(generated: Happens, container: UserContainer, database: Database) -> Callable[[int], Awaitable[Any]]:
    """A generation has ended, and the worker has announced it."""

    async def arrive(count: int) -> None:
        await generated(count)
        [message] = await database.outbox.find({"name": "announce_notification"}).sort("_id", -1).limit(1).to_list()
        await announce_notification(container, *message["args"])

    return arrive


async def until(condition: Callable[[], bool]) -> None:
    """Waits for it."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  nothing there tells of it
            await asyncio.sleep(0.01)


async def opened(container: UserContainer, person: Person, count: int = 1) -> None:
    """Waits until so many follow."""
    await until(lambda: container.notifications._streams[person.id] == count)


async def test_it_begins_with_how_many_are_unread_and_goes_on_with_each_new_one(
    follow: Follow, arrives: Any, http: httpx.AsyncClient, container: UserContainer, person: Person
) -> None:
    await arrives(1)
    listening = asyncio.create_task(follow(3))
    await opened(container, person)
    for count in (2, 3):
        await arrives(count)
    first, *news = await listening
    assert first[1:] == ("unread", {"unreadCount": 1})
    listed = (await http.get(PATH)).json()["items"]
    assert [(name, data) for _, name, data in news] == [("notification", one) for one in reversed(listed[:2])]


async def test_who_comes_back_with_the_last_id_misses_nothing_and_gets_nothing_twice(
    follow: Follow, arrives: Any
) -> None:
    [(position, _, _)] = await follow(1)
    for count in (1, 2, 3):
        await arrives(count)
    first, second, third = (await follow(4, position))[1:]
    assert [update[2]["title"][0] for update in (first, second, third)] == ["1", "2", "3"]
    assert (await follow(3, first[0]))[1:] == [second, third]
    opening = (await follow(1, third[0]))[0]
    assert opening == (third[0], "unread", {"unreadCount": 3})


async def test_what_is_read_or_cleared_elsewhere_is_told_as_a_new_count(
    follow: Follow, arrives: Any, http: httpx.AsyncClient, container: UserContainer, person: Person
) -> None:
    for count in (1, 2):
        await arrives(count)
    listening = asyncio.create_task(follow(3))
    await opened(container, person)
    newest = (await http.get(PATH)).json()["items"][0]["id"]
    await http.post(f"{PATH}/read", json={"ids": [newest]})
    await http.post(f"{PATH}/read", json={"ids": [newest]})  # changes nothing, so tells nothing
    await http.delete(PATH)
    assert [data for _, _, data in await listening] == [{"unreadCount": count} for count in (2, 1, 0)]


async def test_everybody_hears_only_their_own(
    follow: Follow, arrives: Any, new_person: NewPerson, container: UserContainer
) -> None:
    stranger = await new_person()
    listening = asyncio.create_task(follow(2, user=stranger.id))
    await opened(container, stranger)
    await arrives(1)
    await container.resources.live.publish(f"user:{stranger.id}", {"event": "unread", "data": {"unreadCount": 7}})
    assert [data for _, _, data in await listening] == [{"unreadCount": 0}, {"unreadCount": 7}]


async def test_one_that_was_cleared_meanwhile_is_not_announced(
    follow: Follow, generated: Happens, http: httpx.AsyncClient, container: UserContainer, database: Database
) -> None:
    [(position, _, _)] = await follow(1)
    await generated(1)
    message = await database.outbox.find_one({"name": "announce_notification"})
    assert message is not None
    await http.delete(PATH)
    await announce_notification(container, *message["args"])
    assert [update[1:] for update in await follow(2, position)] == [("unread", {"unreadCount": 0})] * 2


def events(answer: httpx.Response) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.split("\n\n") if ": " in block
    ]


@pytest.fixture
async def stream(http: httpx.AsyncClient, container: UserContainer, person: Person) -> AsyncGenerator[Any, None]:
    """A stream that has begun. httpx gives the answer of an application in its own process when it is over."""
    streaming = asyncio.create_task(http.get(STREAM))
    await opened(container, person)
    yield streaming
    streaming.cancel()


async def test_on_the_wire_each_update_has_an_id_a_name_and_json(
    stream: asyncio.Task[httpx.Response], arrives: Any, container: UserContainer
) -> None:
    await arrives(4)
    await asyncio.sleep(0.3)
    container.resources.health.closing = True
    answer = await stream
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, second = events(answer)
    assert (first["event"], json.loads(first["data"])) == ("unread", {"unreadCount": 0})
    assert (second["event"], json.loads(second["data"])["title"]) == ("notification", "4 new questions are ready")
    assert second["id"].replace("-", "").isdecimal()


async def test_it_ends_when_the_login_session_is_revoked(
    stream: asyncio.Task[httpx.Response], container: UserContainer, person: Person, arrives: Any
) -> None:
    claims = jwt.decode(person.tokens["accessToken"], options={"verify_signature": False})
    await container.resources.revocations.publish(claims["sid"])
    answer = await stream
    await arrives(1)
    assert [event["event"] for event in events(answer)] == ["unread"]


async def test_it_ends_when_the_token_expires(
    stream: asyncio.Task[httpx.Response], person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.sleep(1.5)
    assert not stream.done()
    later = time.time() + person.tokens["expiresIn"] + 1
    monkeypatch.setattr("intervai_shared.http.sse.time", SimpleNamespace(time=lambda: later))
    assert (await stream).status_code == 200


async def test_when_it_is_over_it_holds_nothing(
    stream: asyncio.Task[httpx.Response], container: UserContainer, person: Person
) -> None:
    if os.environ.get("REDIS") == "cluster":
        pytest.skip("counts the connections of a pool; a Cluster's client has none, but connections of each node")
    pool: Any = container.resources.redis.connection_pool
    # One connection follows the revocations, always; one is the stream's.
    await until(lambda: len(pool._in_use_connections) == 2)
    container.resources.health.closing = True
    await stream
    assert container.notifications._streams == {}
    await until(lambda: len(pool._in_use_connections) < 2)


async def test_one_person_may_have_some_streams_and_no_more(
    start: Start, person: Person, new_person: NewPerson
) -> None:
    http, container = await start(NOTIFICATION_STREAMS="2")
    streams = [asyncio.create_task(http.get(STREAM)) for _ in range(2)]
    await opened(container, person, 2)
    refused = await http.get(STREAM)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    other = await new_person()
    assert (await container.notifications.opening(other.id, None))[1] == "unread"
    streams[0].cancel()
    await asyncio.wait(streams[:1])
    assert (await container.notifications.opening(person.id, None))[1] == "unread"
    container.resources.health.closing = True
    await streams[1]


@pytest.mark.parametrize("wrong", ["abc", "1", "1-2-3", "99999999999999999999-0"])
async def test_a_wrong_last_event_id_is_refused_before_the_stream_begins(http: httpx.AsyncClient, wrong: str) -> None:
    answer = await http.get(STREAM, headers={"Last-Event-ID": wrong})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_without_redis_it_says_how_many_are_unread_from_time_to_time(
    container: UserContainer, person: Person, generated: Happens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("user_service.notifications.service.WITHOUT_REDIS_SECONDS", 0.02)
    service = container.notifications
    async with Redis(host="127.0.0.1", port=1) as nobody:
        monkeypatch.setattr(service, "_live", LiveUpdates(nobody, "user-service"))
        opening = await service.opening(person.id, None)
        async with asyncio.timeout(60), aclosing(service.follow(person.id, opening)) as updates:
            assert await anext(updates) == ("0-0", "unread", {"unreadCount": 0})
            await generated(1)
            while (heard := await anext(updates)) is None or heard[2] == {"unreadCount": 0}:
                continue
    assert heard[1:] == ("unread", {"unreadCount": 1})
