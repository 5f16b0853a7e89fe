"""Promises of the profile's cache: read from Redis, forgotten by a write, done without when Redis is down."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from bson import ObjectId
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import RedisError

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import Person
from user_service.container import UserContainer
from user_service.profiles.tasks import forget_profile

PATH = "/api/v1/users/me"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]


@pytest.fixture
async def counted(commands: list[str], with_profile: httpx.AsyncClient) -> list[str]:
    """The Mongo commands since the profile was made."""
    commands.clear()
    return commands


async def test_the_second_read_asks_mongo_nothing(counted: list[str], with_profile: httpx.AsyncClient) -> None:
    first = await with_profile.get(PATH)
    assert counted == ["find"]
    second = await with_profile.get(PATH)
    assert counted == ["find"]
    assert second.json() == first.json()


async def test_the_metrics_tell_how_often_the_copy_was_enough(with_profile: httpx.AsyncClient) -> None:
    async def reads() -> dict[str, float]:
        families = text_string_to_metric_families((await with_profile.get("/metrics")).text)
        samples = [sample for family in families for sample in family.samples]
        counted = [sample for sample in samples if sample.name == "intervai_cache_reads_total"]
        return {sample.labels["result"]: sample.value for sample in counted if sample.labels["name"] == "profile"}

    before = await reads()
    for _ in range(5):
        await with_profile.get(PATH)
    after = await reads()
    assert {
        result: after[result] - before.get(result, 0) for result in after if after[result] > before.get(result, 0)
    } == {
        "miss": 1,
        "hit": 4,
    }


async def test_many_first_reads_at_once_ask_mongo_once(counted: list[str], with_profile: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(with_profile.get(PATH) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert counted == ["find"]


async def test_the_copy_lives_an_hour_and_no_longer(
    with_profile: httpx.AsyncClient, user_app: tuple[httpx.AsyncClient, UserContainer], person: Person
) -> None:
    await with_profile.get(PATH)
    assert 3500 < await user_app[1].resources.redis.ttl(f"profile:{person.id}") <= 3600


async def test_a_change_is_seen_by_the_next_read_of_every_process(
    start: Start, with_profile: httpx.AsyncClient
) -> None:
    other, _ = await start()
    for name in ("Ada", "Augusta"):
        assert (await other.get(PATH)).status_code == 200  # both hold the copy now
        assert (await with_profile.patch(PATH, json={"fullName": name})).json()["fullName"] == name
        assert (await other.get(PATH)).json()["fullName"] == name


async def test_a_refused_change_leaves_the_copy_alone(counted: list[str], with_profile: httpx.AsyncClient) -> None:
    await with_profile.get(PATH)
    assert (await with_profile.patch(PATH, json={"timeZone": "Europe/Atlantis"})).status_code == 422
    await with_profile.get(PATH)
    assert counted == ["find"]


async def test_a_copy_that_another_version_wrote_is_read_anew(
    with_profile: httpx.AsyncClient, user_app: tuple[httpx.AsyncClient, UserContainer], person: Person
) -> None:
    first = await with_profile.get(PATH)
    await user_app[1].resources.redis.set(f"profile:{person.id}", b'p{"id":"of another shape"}')
    assert (await with_profile.get(PATH)).json() == first.json()


async def test_without_redis_reads_and_changes_go_to_mongo(
    start: Start, inbox: Inbox, event: Document, database: Database, person: Person
) -> None:
    await inbox.apply(event)
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1", RATE_LIMIT_SCALE="1")
    assert (await without_redis.get(PATH)).json()["fullName"] == "Ada Lovelace"
    assert (await without_redis.patch(PATH, json={"fullName": "Augusta"})).json()["fullName"] == "Augusta"
    await database.profiles.update_one({"_id": ObjectId(person.id)}, {"$set": {"fullName": "King"}})
    assert (await without_redis.get(PATH)).json()["fullName"] == "King"


async def test_a_copy_from_before_an_outage_of_redis_is_forgotten_by_the_message_of_the_change(
    start: Start,
    with_profile: httpx.AsyncClient,
    user_app: tuple[httpx.AsyncClient, UserContainer],
    database: Database,
    person: Person,
) -> None:
    assert (await with_profile.get(PATH)).json()["fullName"] == "Ada Lovelace"  # the copy is in Redis now
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1", RATE_LIMIT_SCALE="1")
    assert (await without_redis.patch(PATH, json={"fullName": "Augusta"})).json()["fullName"] == "Augusta"
    assert (await with_profile.get(PATH)).json()["fullName"] == "Ada Lovelace"  # Redis is back, with the old copy
    message = await database.outbox.find_one({"name": "forget_profile"})
    assert message is not None
    assert message["state"] == "pending"
    await forget_profile(user_app[1], *message["args"])
    assert (await with_profile.get(PATH)).json()["fullName"] == "Augusta"


async def test_the_message_of_a_change_is_tried_again_while_redis_is_down(start: Start, person: Person) -> None:
    _, without_redis = await start(REDIS_URL="redis://127.0.0.1:1/1")
    with pytest.raises(RedisError):
        await forget_profile(without_redis, str(person.id))
