"""The review queue: what comes back when, and what a rating changes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any

import fsrs
import httpx
import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from intervai_shared.errors import InvalidError, NotFoundError
from intervai_shared.models import Document, utc_now
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.practice.schemas import NewAttempt
from qa_service.reviews.scheduling import Intervals
from qa_service.reviews.schemas import RATINGS
from qa_service.reviews.service import new_card

Call = Callable[..., Awaitable[Any]]


class Defaults:
    """Settings as they are when nobody sets them."""

    reviews_desired_retention = 0.9
    reviews_maximum_days = 365


@given(st.lists(st.tuples(st.sampled_from(RATINGS), st.integers(0, 60 * 24 * 90)), min_size=1, max_size=20))
def test_any_series_of_reviews_goes_as_the_library_alone_would_have_it(series: list[tuple[Any, int]]) -> None:
    intervals, now = Intervals(Defaults()), utc_now()  # type: ignore[arg-type]
    card = new_card({"_id": ObjectId(), "session": ObjectId()}, now)
    scheduler = fsrs.Scheduler(desired_retention=0.9, maximum_interval=365, enable_fuzzing=False)
    plain = fsrs.Card(card_id=1, due=now)
    for rating, minutes in series:
        now += timedelta(minutes=minutes)
        card |= intervals.after(card, rating, now)
        plain, _ = scheduler.review_card(plain, fsrs.Rating(RATINGS.index(rating) + 1), now.astimezone(UTC))
        assert (card["stability"], card["difficulty"]) == (plain.stability, plain.difficulty)
        assert timedelta(0) <= plain.due - card["due"] < timedelta(milliseconds=1)
        assert card["state"] == plain.state.name.lower()
        assert now < card["due"] <= now + timedelta(days=365)
    assert card["reviews"] == len(series)


async def test_a_question_comes_back_when_it_is_due_and_later_the_better_it_was_known(
    questions: list[Document], rate: Call, due: Call, clock: Any
) -> None:
    cards = [await rate(question, rating) for question, rating in zip(questions, RATINGS, strict=False)]
    waits = [card["due"] - clock.now for card in cards]
    assert waits == sorted(waits)
    assert waits[0] == timedelta(minutes=1)
    assert waits[3] > timedelta(days=1)
    assert await due() == []
    clock.go_on(minutes=1)
    assert await due() == ["What is number 0?"]
    clock.go_on(days=1)
    assert await due() == ["What is number 0?", "What is number 1?", "What is number 2?"]
    assert await due(2) == ["What is number 0?", "What is number 1?"]


async def test_the_state_survives_the_database(questions: list[Document], rate: Call, clock: Any) -> None:
    """What is read back has Mongo's own time zone object, which the library refuses."""
    for rating in ("good", "good", "again", "good", "easy"):
        card = await rate(questions[0], rating)
        clock.now = card["due"].astimezone(UTC)
    assert (card["reviews"], card["lapses"]) == (5, 1)
    assert card["state"] == "review"


async def test_new_questions_begin_so_many_a_day_of_utc(
    questions: list[Document], rate: Call, due: Call, clock: Any, container: QaContainer, user: ObjectId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(container.reviews, "_new_a_day", 2)
    await container.reviews.add_session(user, questions[0]["session"], None)
    assert len(await due()) == 2
    for question in questions[:2]:
        await rate(question, "easy")
    assert await due() == []
    clock.go_on(hours=11, minutes=59)
    assert await due() == []
    clock.go_on(minutes=1)
    assert len(await due()) == 2


async def test_a_session_joins_the_queue_whole_or_only_its_pinned_questions_and_nothing_twice(
    questions: list[Document], container: QaContainer, user: ObjectId, rate: Call
) -> None:
    pinned = {"_id": {"$in": [question["_id"] for question in questions[:2]]}}
    for question in questions[:2]:
        await container.resources.mongo.db.questions.update_one({"_id": question["_id"]}, {"$set": {"isPinned": True}})
    assert await container.resources.mongo.db.questions.count_documents({**pinned, "isPinned": True}) == 2
    begun = await rate(questions[0])
    session = questions[0]["session"]
    assert await container.reviews.add_session(user, session, True) == {"added": 1, "alreadyThere": 1}
    both = await asyncio.gather(*[container.reviews.add_session(user, session, None) for _ in range(2)])
    assert sorted(each["added"] for each in both) == [0, 3]
    assert (await container.reviews.get(user, questions[0]["_id"]))["reviews"] == begun["reviews"]


async def test_reviews_at_the_same_time_count_once_each_one_after_the_other(
    questions: list[Document], rate: Call, container: QaContainer, user: ObjectId
) -> None:
    await asyncio.gather(*[rate(questions[0], rating) for rating in ("good", "easy", "again", "hard")])
    card = await container.reviews.get(user, questions[0]["_id"])
    assert card["reviews"] == 4
    db = container.resources.mongo.db
    log = await db.review_log.find().to_list()
    assert sorted(entry["rating"] for entry in log) == [1, 2, 3, 4]
    # Each began where another had ended, but for the first: it is a chain. A card may come to the same state twice.
    befores = Counter(str(entry["before"]) for entry in log)
    afters = Counter(str(entry["after"]) for entry in log)
    assert (befores - afters).total() == (afters - befores).total() == 1
    events = await db.events.find({"type": "question.reviewed"}).sort("sequence").to_list()
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]


async def test_a_failure_while_a_review_is_written_leaves_nothing(
    questions: list[Document], rate: Call, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = container.resources.outbox.add_event

    async def fails(*args: Any) -> None:
        await add(*args)
        raise ConnectionError

    monkeypatch.setattr(container.resources.outbox, "add_event", fails)
    with pytest.raises(ConnectionError):
        await rate(questions[0])
    db = container.resources.mongo.db
    assert [await db[name].count_documents({}) for name in ("review_cards", "review_log")] == [0, 0]


async def test_the_queue_in_numbers(
    questions: list[Document], rate: Call, clock: Any, container: QaContainer, user: ObjectId
) -> None:
    empty = await container.reviews.stats(user)
    assert (empty["cards"], empty["retention"], empty["newLeftToday"]) == (0, None, 20)
    for question in questions[:4]:
        await rate(question, "easy")
    clock.go_on(days=20)
    for question, rating in zip(questions, ("again", "good", "easy", "hard"), strict=False):
        await rate(question, rating)
    await container.reviews.add_session(user, questions[0]["session"], None)
    stats = await container.reviews.stats(user)
    assert (stats["cards"], stats["new"], stats["newLeftToday"]) == (5, 1, 20)
    assert (stats["reviewedToday"], stats["reviewsIn30Days"], stats["retention"]) == (4, 8, 0.75)
    assert stats["learned"] == 3
    assert (stats["dueNow"], stats["dueToday"]) == (0, 1)


async def test_reviews_over_http(http: httpx.AsyncClient, start: Call, add_question: Call, person: Person) -> None:
    session = await start(person.id, generate=False)
    question = await add_question(session, person.id)
    path = f"/api/v1/reviews/{question['_id']}"
    assert (await http.get(path)).status_code == 404
    added = await http.post(f"/api/v1/sessions/{session['_id']}/reviews", params={"pinned": False})
    assert added.json() == {"added": 1, "alreadyThere": 0}
    shown = (await http.get("/api/v1/reviews/due")).json()
    assert [item["question"]["id"] for item in shown["items"]] == [str(question["_id"])]
    assert (shown["items"][0]["card"]["state"], shown["newLeftToday"]) == ("new", 20)
    for rating in ("perfect", 0, 5, 2.5, True, None):
        assert (await http.post(path, json={"rating": rating})).status_code == 422, rating
    card = (await http.post(path, json={"rating": 4})).json()
    assert (card["state"], card["reviews"], card["questionId"]) == ("review", 1, str(question["_id"]))
    assert (await http.get(path)).json() == card
    [entry] = (await http.get(f"{path}/log")).json()["items"]
    assert (entry["rating"], entry["due"]) == ("easy", card["due"])
    assert (await http.get("/api/v1/reviews/stats")).json()["reviewedToday"] == 1
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    assert (await http.post(f"/api/v1/reviews/{ObjectId()}", json={"rating": "good"})).status_code == 404
    assert (await http.post(f"/api/v1/sessions/{ObjectId()}/reviews")).status_code == 404


async def test_a_review_may_name_the_attempt_before_it_but_no_other(
    questions: list[Document], rate: Call, container: QaContainer, user: ObjectId
) -> None:
    started = await container.attempts.start(user, questions[0]["_id"], NewAttempt(answer="An answer of mine."))
    await rate(questions[0], "good", attemptId=str(started["id"]))
    for question, attempt in ((questions[1], started["id"]), (questions[0], ObjectId())):
        with pytest.raises(InvalidError):
            await rate(question, "good", attemptId=str(attempt))
    assert await container.resources.mongo.db.review_log.count_documents({}) == 1


async def test_a_deleted_question_is_no_longer_due(
    questions: list[Document], due: Call, container: QaContainer, user: ObjectId
) -> None:
    await container.reviews.add_session(user, questions[0]["session"], None)
    await container.resources.mongo.db.questions.delete_one({"_id": questions[0]["_id"]})
    assert "What is number 0?" not in await due()
    assert len(await due()) == 4


async def test_nobody_sees_or_changes_the_queue_of_another(
    questions: list[Document], rate: Call, container: QaContainer, clock: Any
) -> None:
    await rate(questions[0], "again")
    clock.go_on(days=1)
    stranger = ObjectId()
    of_it = questions[0]["_id"]
    for call in (
        container.reviews.get(stranger, of_it),
        container.reviews.remove(stranger, of_it),
        container.reviews.log(stranger, of_it, 5),
    ):
        with pytest.raises(NotFoundError):
            await call
    with pytest.raises(NotFoundError):
        await container.reviews.add_session(stranger, questions[0]["session"], None)
    assert (await container.reviews.due(stranger, 20))["items"] == []
