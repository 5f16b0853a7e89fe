"""The read-through cache: one load at a time, small in Redis, never a reason to fail, never staler than it must be."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cashews import Cache as Cashews
from pydantic import BaseModel
from pymongo.errors import AutoReconnect
from redis.asyncio import Redis

from intervai_shared import cache as cache_module
from intervai_shared.cache import ModelCache
from intervai_shared.settings import ServiceSettings


class Profile(BaseModel):
    name: str
    likes: list[str] = []


class NewProfile(Profile):
    """The next version of the model, with a field that old values lack."""

    age: int


class Source:
    """What is cached: counts its loads, and holds them up until told to go on."""

    def __init__(self) -> None:
        self.value = Profile(name="Ada")
        self.loads = 0
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def load(self) -> Profile:
        self.loads += 1
        self.started.set()
        read = self.value
        await self.go_on.wait()
        return read


@pytest.fixture
async def backend(settings: ServiceSettings) -> AsyncIterator[Cashews]:
    made = cache_module.connect(settings)
    yield made
    await made.close()


@pytest.fixture
def cache(backend: Cashews, service: str) -> ModelCache[Profile]:
    return ModelCache(backend, f"{service}:profile", Profile, 60)


@pytest.fixture
def source() -> Source:
    return Source()


async def test_a_value_is_loaded_once_and_read_from_then_on(cache: ModelCache[Profile], source: Source) -> None:
    for _ in range(3):
        assert await cache.get_or_load("u1", source.load) == Profile(name="Ada")
    assert source.loads == 1


async def test_fifty_readers_at_once_cause_one_load(cache: ModelCache[Profile], source: Source) -> None:
    source.go_on.clear()
    readers = [asyncio.create_task(cache.get_or_load("u1", source.load)) for _ in range(50)]
    await asyncio.sleep(0.1)
    source.go_on.set()
    assert {profile.name for profile in await asyncio.gather(*readers)} == {"Ada"}
    assert source.loads == 1


async def test_readers_who_wait_do_not_hammer_redis(cache: ModelCache[Profile], source: Source, redis: Redis) -> None:
    async def commands() -> int:
        return int((await redis.info("stats"))["total_commands_processed"])

    source.go_on.clear()
    readers = [asyncio.create_task(cache.get_or_load("u1", source.load)) for _ in range(20)]
    await asyncio.sleep(0.1)
    before = await commands()
    await asyncio.sleep(0.3)
    sent = await commands() - before
    source.go_on.set()
    await asyncio.gather(*readers)
    assert sent < 20 * 2 * 30  # two commands of each, every 10 ms at most; spinning makes several times as many


async def test_processes_share_values(
    cache: ModelCache[Profile], settings: ServiceSettings, source: Source, service: str
) -> None:
    await cache.get_or_load("u1", source.load)
    other = cache_module.connect(settings)
    await ModelCache(other, f"{service}:profile", Profile, 60).get_or_load("u1", source.load)
    await other.close()
    assert source.loads == 1


async def test_an_invalidated_value_is_loaded_again_and_no_other(cache: ModelCache[Profile], source: Source) -> None:
    for key in ("u1", "u2"):
        await cache.get_or_load(key, source.load)
    source.value = Profile(name="Grace")
    await cache.invalidate("u1")
    assert (await cache.get_or_load("u1", source.load)).name == "Grace"
    assert (await cache.get_or_load("u2", source.load)).name == "Ada"


async def test_a_value_read_before_a_write_is_not_kept_after_it(cache: ModelCache[Profile], source: Source) -> None:
    source.go_on.clear()
    reader = asyncio.create_task(cache.get_or_load("u1", source.load))  # reads Ada, and takes its time
    await source.started.wait()
    source.value = Profile(name="Grace")
    await cache.invalidate("u1")
    source.go_on.set()
    await reader
    assert (await cache.get_or_load("u1", source.load)).name == "Grace"


async def test_a_value_ends_with_its_time(backend: Cashews, redis: Redis, source: Source, service: str) -> None:
    await ModelCache(backend, service, Profile, 60).get_or_load("u1", source.load)
    assert 0 < await redis.ttl(f"{service}:u1") <= 60


@pytest.mark.parametrize(("likes", "smaller"), [(1, False), (500, True)])
async def test_values_from_one_kibibyte_on_are_compressed(
    cache: ModelCache[Profile], redis: Redis, source: Source, service: str, likes: int, smaller: bool
) -> None:
    source.value = Profile(name="Ada", likes=["mathematics"] * likes)
    await cache.get_or_load("u1", source.load)
    stored, whole = await redis.strlen(f"{service}:profile:u1"), len(source.value.model_dump_json())
    assert (stored < whole / 5) == smaller
    assert await cache.get_or_load("u1", source.load) == source.value
    assert source.loads == 1


@pytest.mark.parametrize(
    "spoil", [lambda _: b"", lambda _: b"no pickle", lambda old: old[:-9], lambda old: old.replace(b"name", b"nome")]
)
async def test_an_unreadable_value_is_a_miss_and_is_replaced(
    cache: ModelCache[Profile], redis: Redis, source: Source, service: str, spoil: Callable[[bytes], bytes]
) -> None:
    await cache.get_or_load("u1", source.load)
    key = f"{service}:profile:u1"
    await redis.set(key, spoil(await redis.get(key)))
    for _ in range(2):
        assert (await cache.get_or_load("u1", source.load)).name == "Ada"
    assert source.loads == 2


async def test_what_lies_in_redis_is_never_run_as_code(
    cache: ModelCache[Profile], redis: Redis, source: Source, service: str, tmp_path: Path
) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.mkdir, (tmp_path / "was-here",)

    await redis.set(f"{service}:profile:u1", pickle.dumps(Attack()))
    assert (await cache.get_or_load("u1", source.load)).name == "Ada"
    assert not (tmp_path / "was-here").exists()


async def test_a_value_of_another_version_of_the_model_is_a_miss(
    cache: ModelCache[Profile], backend: Cashews, source: Source, service: str
) -> None:
    async def load() -> NewProfile:
        return NewProfile(name="Ada", age=36)

    await cache.get_or_load("u1", source.load)
    assert (await ModelCache(backend, f"{service}:profile", NewProfile, 60).get_or_load("u1", load)).age == 36


async def test_what_load_raises_comes_through_and_the_next_reader_loads(
    cache: ModelCache[Profile], source: Source
) -> None:
    async def fails() -> Profile:
        raise LookupError("not there")

    for _ in range(2):
        with pytest.raises(LookupError):
            await cache.get_or_load("u1", fails)
    assert (await cache.get_or_load("u1", source.load)).name == "Ada"


async def _away() -> Profile:
    raise AutoReconnect("the database is away")


def backend_of(cache: ModelCache[Profile]) -> Cashews:
    return cache._backend


@pytest.fixture
def kept(backend: Cashews, service: str) -> ModelCache[Profile]:
    """Fresh for a second, and for a minute when nothing newer can be had."""
    return ModelCache(backend, f"{service}:profile", Profile, 1, if_error_seconds=60)


async def test_the_last_value_answers_while_what_it_is_loaded_from_is_away_and_only_one_reader_waits_for_that(
    kept: ModelCache[Profile], source: Source
) -> None:
    await kept.get_or_load("u1", source.load)
    await asyncio.sleep(1.1)
    assert (await kept.get_or_load("u1", _away)).name == "Ada"
    await kept.get_or_load("u1", source.load)
    assert source.loads == 1  # the old value is the cached one for a while


async def test_an_error_that_is_no_outage_is_not_hidden_by_an_old_value(
    kept: ModelCache[Profile], source: Source
) -> None:
    async def fails() -> Profile:
        raise LookupError("deleted")

    await kept.get_or_load("u1", source.load)
    await asyncio.sleep(1.1)
    with pytest.raises(LookupError):
        await kept.get_or_load("u1", fails)


async def test_what_was_invalidated_never_answers_again(kept: ModelCache[Profile], source: Source) -> None:
    await kept.get_or_load("u1", source.load)
    await kept.invalidate("u1")
    with pytest.raises(AutoReconnect):
        await kept.get_or_load("u1", _away)


async def test_an_old_value_that_was_invalidated_while_the_load_failed_is_not_kept(
    kept: ModelCache[Profile], source: Source
) -> None:
    async def changed_meanwhile() -> Profile:
        await kept.invalidate("u1")
        await backend_of(kept).set(f"{kept._prefix}:u1:old", old)  # as if it had been read before
        raise AutoReconnect("the database is away")

    await kept.get_or_load("u1", source.load)
    old = await backend_of(kept).get(f"{kept._prefix}:u1:old")
    await asyncio.sleep(1.1)
    await kept.get_or_load("u1", changed_meanwhile)
    with pytest.raises(AutoReconnect):
        await kept.get_or_load("u1", _away)


async def test_without_a_time_for_it_no_old_value_answers(
    cache: ModelCache[Profile], redis: Redis, service: str
) -> None:
    with pytest.raises(AutoReconnect):
        await cache.get_or_load("u1", _away)
    assert await redis.keys(f"{service}:profile:*old") == []


async def test_without_redis_each_read_loads_and_nothing_fails(without_redis: ServiceSettings, source: Source) -> None:
    backend = cache_module.connect(without_redis)
    cache = ModelCache(backend, "profile", Profile, 60)
    readers = (cache.get_or_load("u1", source.load) for _ in range(5))
    assert {profile.name for profile in await asyncio.gather(*readers)} == {"Ada"}
    await cache.invalidate("u1")
    await backend.close()
    assert source.loads == 5
