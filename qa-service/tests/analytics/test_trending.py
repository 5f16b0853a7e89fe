"""Trending topics: decayed by time, told of nobody, projected once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

from intervai_shared.messaging.events.catalogue import wire
from intervai_shared.messaging.events.replay import Replay
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document, utc_now
from intervai_shared.privacy.events import UserDeletion
from intervai_shared.settings import load_settings
from intervai_shared.testing import running
from qa_service.analytics import projection
from qa_service.analytics.schemas import TrendingTopic
from qa_service.app import create_app
from qa_service.events import EVENTS, SessionCreated
from qa_service.settings import QaSettings
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]
PATH = "/api/v1/analytics/trending"


@pytest.fixture
async def forget(worker: QaWorker) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Empties the cache, which all tests share: at once, at the end, and when called."""

    async def empty() -> None:
        await worker.trending._cache.invalidate("topics")

    await empty()
    yield empty
    await empty()


@pytest.fixture
def prepare(inbox: Inbox, forget: object, as_wire: Callable[..., Document]) -> Call:
    """Applies `session.created` for users, days ago; a user of one's own each when only a number is given."""

    async def apply(topics: list[str], users: int | list[ObjectId], days_ago: float = 0) -> None:
        for user in users if isinstance(users, list) else [ObjectId() for _ in range(users)]:
            created = SessionCreated(user=user, role="Engineer", topics=topics)
            await inbox.apply(as_wire(ObjectId(), created, utc_now() - timedelta(days=days_ago)))

    return apply


@pytest.fixture
def top(worker: QaWorker, forget: Callable[[], Awaitable[None]]) -> Callable[..., Awaitable[list[TrendingTopic]]]:
    async def computed_anew(limit: int = 20) -> list[TrendingTopic]:
        await forget()
        return (await worker.trending.top(limit)).items

    return computed_anew


async def test_a_topic_shows_from_three_different_people_on(prepare: Call, top: Call) -> None:
    await prepare(["of two"], 2)
    for day in range(5):
        await prepare(["of one"], [ObjectId("0" * 24)], day)
    await prepare(["of three"], 3)
    assert [(topic.topic, topic.users) for topic in await top()] == [("of three", 3)]


async def test_what_one_person_types_is_never_shown_however_often_and_to_whomever_the_setting_is_lowered(
    prepare: Call, top: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, own_words = ObjectId(), "my chat with Grace at Initech"
    for day in range(20):
        await prepare([own_words, own_words.upper()], [alone], day)
    await prepare(["SQL"], 3)
    assert [topic.topic for topic in await top(100)] == ["sql"]
    monkeypatch.setenv("TRENDING_MIN_USERS", "2")
    with pytest.raises(SystemExit):
        load_settings(QaSettings)


async def test_who_is_erased_counts_no_more_and_a_topic_that_was_shown_by_their_help_is_gone(
    worker: QaWorker, prepare: Call, top: Call, as_wire: Callable[..., Document]
) -> None:
    users = [ObjectId() for _ in range(4)]
    await prepare(["SQL"], users)
    await prepare(["Go"], users[:3])
    assert {topic.topic: topic.users for topic in await top()} == {"sql": 4, "go": 3}
    wish = as_wire(ObjectId(), UserDeletion(user=users[0]), utc_now())
    await worker.resources.mongo.transaction(lambda session: worker.erasures.begin(wish, session))
    await worker.erasures.run(users[0])
    assert {topic.topic: topic.users for topic in await top()} == {"sql": 3}


async def test_a_use_counts_half_after_a_week(prepare: Call, top: Call) -> None:
    await prepare(["now"], 3)
    await prepare(["a week ago"], 3, 7)
    await prepare(["two weeks ago"], 3, 14)
    scores = {topic.topic: topic.score for topic in await top()}
    assert scores["a week ago"] / scores["now"] == pytest.approx(0.5, abs=0.01)
    assert scores["two weeks ago"] / scores["now"] == pytest.approx(0.25, abs=0.01)


async def test_what_is_prepared_for_now_stands_before_what_was_used_more_long_ago(prepare: Call, top: Call) -> None:
    await prepare(["then"], 6, 20)
    await prepare(["now"], 3)
    assert [topic.topic for topic in await top()] == ["now", "then"]


async def test_what_is_older_than_a_month_is_gone(prepare: Call, top: Call) -> None:
    await prepare(["old"], 5, 31)
    await prepare(["recent"], 3, 28)
    assert [topic.topic for topic in await top()] == ["recent"]


async def test_one_topic_in_several_spellings_is_one_and_a_person_counts_once_a_day(prepare: Call, top: Call) -> None:
    users = [ObjectId() for _ in range(3)]
    await prepare(["SQL"], users)
    [alone] = await top()
    await prepare(["  sql", "Sql ", "SQL"], users)
    assert (await top())[0].model_dump() | {"score": 0} == alone.model_dump() | {"score": 0}
    assert (await top())[0].score == pytest.approx(alone.score, abs=0.01)


async def test_equal_topics_are_in_alphabetical_order_and_no_more_than_asked(prepare: Call, top: Call) -> None:
    await prepare(["c", "a", "b"], 3)
    assert [topic.topic for topic in await top()] == ["a", "b", "c"]
    assert [topic.topic for topic in await top(2)] == ["a", "b"]


async def test_an_event_that_comes_again_is_not_applied_again(
    worker: QaWorker, inbox: Inbox, start: Call, forget: object
) -> None:
    db = worker.resources.mongo.db
    await start(topics=["SQL", "Go"], generate=False)
    event = wire(await db.events.find_one({"type": "session.created"}) or {})
    await inbox.apply(event)
    assert sorted([use["topic"] async for use in db.topic_uses.find()]) == ["go", "sql"]
    await db.topic_uses.delete_many({})  # nothing but the inbox could tell now
    await inbox.apply(event)
    assert await db.topic_uses.count_documents({}) == 0


async def test_an_event_that_fails_half_way_leaves_nothing_and_can_come_again(
    worker: QaWorker, prepare: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, record = worker.resources.mongo.db, projection.TopicUses.record

    async def fails_at_sql(uses: projection.TopicUses, user: ObjectId, topic: str, *rest: Any) -> None:
        await record(uses, user, topic, *rest)
        if topic == "sql":
            raise ConnectionError

    monkeypatch.setattr(projection.TopicUses, "record", fails_at_sql)
    with pytest.raises(ConnectionError):
        await prepare(["Go", "SQL"], 1)
    assert await db.topic_uses.count_documents({}) == await db.inbox.count_documents({}) == 0


async def test_anybody_gets_the_topics_and_nothing_of_those_who_prepare(
    prepare: Call, forget: object, settings: QaSettings
) -> None:
    users = [ObjectId() for _ in range(3)]
    await prepare(["SQL"], users)
    async with running(create_app()) as anybody:
        answer = await anybody.get(PATH)
    assert answer.status_code == 200
    [topic] = answer.json()["items"]
    assert (topic["topic"], topic["users"], set(topic)) == ("sql", 3, {"topic", "score", "users"})
    assert not any(str(user) in answer.text for user in users)


async def test_who_holds_the_newest_version_is_told_so_and_who_does_not_gets_it(
    prepare: Call, forget: Callable[[], Awaitable[None]], settings: QaSettings
) -> None:
    async with running(create_app()) as anybody:
        held = (await anybody.get(PATH)).headers
        assert held["cache-control"] == "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"
        for tag in (held["etag"], f'"other", W/{held["etag"]}'):
            same = await anybody.get(PATH, headers={"If-None-Match": tag})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", held["etag"])
        await prepare(["SQL"], 3)
        await forget()
        newer = await anybody.get(PATH, headers={"If-None-Match": held["etag"]})
    assert newer.status_code == 200
    assert newer.headers["etag"] != held["etag"]


async def test_the_topics_are_computed_once_for_many_who_ask(
    worker: QaWorker, prepare: Call, forget: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(["SQL"], 3)
    first = await worker.trending.top(5)
    monkeypatch.setattr(worker.trending, "_view", None)
    assert await worker.trending.top(5) == first


async def test_the_last_list_answers_while_the_database_is_away(
    worker: QaWorker, prepare: Call, forget: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise AutoReconnect("away")

    await prepare(["SQL"], 3)
    first = await worker.trending.top(5)
    await worker.resources.cache.delete("trending:topics")  # as it is after five minutes
    monkeypatch.setattr(worker.trending, "_view", away)
    assert await worker.trending.top(5) == first


async def test_a_replay_shows_the_same_topics_again_from_the_log_alone(
    worker: QaWorker, inbox: Inbox, start: Call, top: Callable[..., Awaitable[list[TrendingTopic]]]
) -> None:
    db = worker.resources.mongo.db
    for _ in range(3):
        await start(ObjectId(), topics=["SQL", "Go"], generate=False)
    async for event in db.events.find({"type": "session.created"}):
        await inbox.apply(wire(event))
    before = [(topic.topic, topic.users) for topic in await top()]
    await db.topic_uses.delete_many({})
    assert await top() == []
    await Replay(worker.resources.mongo, EVENTS, projection.TRENDING).run()
    assert [(topic.topic, topic.users) for topic in await top()] == before == [("go", 3), ("sql", 3)]
    await start(ObjectId(), topics=["SQL"], generate=False)
    newest = await db.events.find_one({"type": "session.created"}, sort=[("_id", -1)])
    await inbox.apply(wire(newest or {}))
    assert {topic.topic: topic.users for topic in await top()} == {"go": 3, "sql": 4}
