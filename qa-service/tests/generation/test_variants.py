"""Sets of questions that are shared between people with the same wish."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, Protocol

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    of: Callable[..., Any]
    honest: Callable[..., Any]


@pytest.fixture
def settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With the cache, and with two variants."""
    return settings.model_copy(update={"generation_cache_seconds": 60, "generation_cache_variants": 2})


@pytest.fixture
def wish() -> Document:
    """Nobody has had it before."""
    return {"role": f"Engineer {secrets.token_hex(4)}", "questionCount": 3}


@pytest.fixture
def ask(worker: QaWorker, container: QaContainer, start: Call) -> Call:
    """A new person's set of questions; the texts."""

    async def call(**wish: Any) -> list[str]:
        person = ObjectId()
        session = await start(person, **wish)
        await worker.work.run(session["generation"]["jobId"])
        found = await container.sessions.with_questions(person, session["_id"])
        job = await container.jobs.get(person, session["generation"]["jobId"])
        assert (job["status"], job["result"]["questions"]) == ("succeeded", wish["questionCount"])
        return sorted(question["text"] for question in found["questions"])

    return call


async def test_once_there_are_enough_variants_they_are_given_in_turn_and_cost_nothing(
    provider: Provider, container: QaContainer, ask: Call, wish: Document
) -> None:
    sets = [await ask(**wish) for _ in range(6)]
    assert len(provider.interviews) == 2
    assert sets[0] != sets[1]
    assert all(one != following for one, following in pairwise(sets[2:]))
    assert {tuple(one) for one in sets} == {tuple(sets[0]), tuple(sets[1])}
    assert await container.resources.mongo.db.llm_calls.count_documents({}) == 2


async def test_another_spelling_is_the_same_wish_and_the_topic_keeps_the_persons_own(
    provider: Provider, container: QaContainer, ask: Call, wish: Document
) -> None:
    for topic in ("SQL", "SQL"):
        await ask(**wish, topics=[topic])
    await ask(**{**wish, "role": wish["role"].upper()}, topics=["sql"])
    assert len(provider.interviews) == 2
    newest = await container.resources.mongo.db.questions.find().sort("_id", -1).limit(1).to_list()
    assert newest[0]["category"] == "sql"


@pytest.mark.parametrize("of_ones_own", [{"jobDescription": "We sell bees."}, {"difficulty": "hard"}])
async def test_what_is_tailored_or_wished_otherwise_is_not_taken_from_others(
    of_ones_own: Document, provider: Provider, ask: Call, wish: Document
) -> None:
    for _ in range(3):
        await ask(**wish)
    assert len(provider.interviews) == 2
    await ask(**wish, **of_ones_own)
    assert len(provider.interviews) == 3


async def test_a_kept_set_is_taken_only_as_far_as_it_is_new_to_the_person(
    provider: Provider, user: ObjectId, start: Call, more: Call, attempt: Call, texts: Call, ask: Call, wish: Document
) -> None:
    first, _ = await ask(**wish), await ask(**wish)
    session = await start(**wish)
    await attempt(session["generation"]["jobId"])
    assert len(provider.interviews) == 2
    assert sorted(await texts(session)) == first
    for number in (3, 4):
        await attempt(await more(session, count=3))
        assert len(set(await texts(session))) == 3 * (number - 1)
    assert len(provider.interviews) == 3, "the other set is new to them, then none is"


async def test_the_same_wish_at_the_same_time_is_one_call(provider: Provider, ask: Call, wish: Document) -> None:
    go, has_begun = asyncio.Event(), asyncio.Event()

    async def slow(interview: Document) -> Any:
        has_begun.set()
        await go.wait()
        return provider.honest(interview)

    provider.will(slow)
    asking = [asyncio.create_task(ask(**wish)) for _ in range(4)]
    await has_begun.wait()
    await asyncio.sleep(0.3)
    go.set()
    sets = await asyncio.gather(*asking)
    assert len(provider.interviews) == 1
    assert len({tuple(one) for one in sets}) == 1


async def test_without_redis_everybody_asks_the_model(
    provider: Provider, worker: QaWorker, ask: Call, wish: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as RedisIsAway  # noqa: PLC0415

    async def away(*_: Any, **__: Any) -> None:
        raise RedisIsAway

    for command in ("llen", "lmove"):
        monkeypatch.setattr(worker.resources.redis, command, away)
    for _ in range(3):
        await ask(**wish)
    assert len(provider.interviews) == 3
