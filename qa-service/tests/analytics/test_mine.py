"""What a person has practised: totals, topics, days and streaks."""

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import InvalidError
from qa_service.analytics.progress_service import ProgressService
from qa_service.events import QuestionsAdded, QuestionsDeleted, SessionCreated, SessionDeleted


async def test_who_has_done_nothing_gets_noughts_and_no_invented_mean(progress: ProgressService) -> None:
    mine = (await progress.mine(ObjectId())).model_dump(mode="json", by_alias=True)
    assert mine == {
        "totals": {"attempts": 0, "meanScore": None, "bestScore": None, "sessions": 0, "questions": 0, "reviews": 0,
                   "interviews": 0},
        "streak": {"current": 0, "longest": 0, "lastDay": None},
        "topics": [],
        "from": "2026-08-30",
        "to": "2026-11-27",
        "days": [],
    }  # fmt: skip


async def test_totals_count_what_was_done(history: Any, progress: ProgressService, user: ObjectId) -> None:
    session = ObjectId()
    await history.tell(session, SessionCreated(user=user, role="Engineer", topics=["SQL"]))
    await history.generates(session, easy=2, hard=1)
    await history.answers(session, 40, 90)
    await history.reviews(session)
    await history.interviews(session, days_ago=400)
    totals = (await progress.mine(user)).totals.model_dump()
    assert totals == {
        "attempts": 2, "mean_score": 65.0, "best_score": 90, "sessions": 1, "questions": 3, "reviews": 1,
        "interviews": 1,
    }  # fmt: skip


async def test_questions_that_come_and_go_are_counted_as_they_stand(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    session, hard = ObjectId(), [{"category": "SQL", "difficulty": "hard", "count": 1}]
    gone = {"user": user, "count": 1, "groups": hard, "questions": [ObjectId()]}
    await history.tell(session, QuestionsDeleted.model_validate(gone))  # before the event of its coming
    assert (await progress.mine(user)).totals.questions == 0
    await history.tell(session, QuestionsAdded.model_validate({"user": user, "count": 1, "groups": hard}))
    await history.generates(session, easy=2)
    assert (await progress.mine(user)).totals.questions == 2


async def test_a_deleted_session_counts_no_more_but_what_was_practised_in_it_does(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    kept, deleted = ObjectId(), ObjectId()
    await history.generates(kept, easy=1)
    await history.answers(deleted, 80)
    await history.tell(deleted, SessionDeleted(user=user))
    await history.generates(deleted, easy=5)  # late
    totals = (await progress.mine(user)).totals
    assert (totals.sessions, totals.questions, totals.attempts, totals.best_score) == (1, 1, 1, 80)


async def test_a_topics_trend_is_the_last_five_scores_against_all_before_by_their_time(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    session = ObjectId()
    await history.answers(session, 90, days_ago=0)
    for days_ago, score in ((6, 30), (5, 50), (1, 70), (2, 70), (4, 70), (3, 50)):
        await history.answers(session, score, days_ago=days_ago)
    [sql] = (await progress.mine(user)).topics
    assert (sql.topic, sql.attempts, sql.mean_score, sql.best_score) == ("SQL", 7, 61.4, 90)
    assert (sql.recent_mean, sql.trend) == (70.0, 30.0)  # 90 70 70 50 70 after 30 50


async def test_no_trend_is_told_while_there_is_nothing_before(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    await history.answers(ObjectId(), 10, 20, 30, 40, 50)
    [sql] = (await progress.mine(user)).topics
    assert (sql.recent_mean, sql.trend) == (30.0, None)


async def test_the_topic_that_is_practised_most_comes_first(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    for topic, times in (("Go", 1), ("Node.js", 3), ("$x", 2)):
        await history.answers(ObjectId(), *[50] * times, category=topic)
    mine = await progress.mine(user)
    assert [topic.topic for topic in mine.topics] == ["Node.js", "$x", "Go"]
    assert [topic.days[0].attempts for topic in mine.topics] == [3, 2, 1]


async def test_days_are_those_of_the_range_and_totals_those_of_all_time(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    for days_ago in (0, 3, 89, 90):
        await history.answers(ObjectId(), days_ago, days_ago=days_ago)
    usual = await progress.mine(user)
    assert [day.attempts for day in usual.days] == [1, 1, 1]
    assert usual.totals.attempts == 4
    asked = await progress.mine(user, date(2026, 11, 24), date(2026, 11, 26))
    assert [(day.day, day.mean_score) for day in asked.days] == [(date(2026, 11, 24), 3.0)]
    assert [day.day for day in asked.topics[0].days] == [date(2026, 11, 24)]
    assert (asked.totals.attempts, asked.streak) == (4, usual.streak)


async def test_a_day_is_one_of_utc_wherever_the_time_was_written(
    history: Any, progress: ProgressService, user: ObjectId
) -> None:
    told = await history.tell(ObjectId(), SessionCreated(user=user, role="Engineer", topics=[]))
    review = {"user": str(user), "session": told["aggregateId"], "rating": 3, "category": "SQL"}
    event = {**told, "id": str(ObjectId()), "type": "question.reviewed", "data": review}
    await history.inbox.apply({**event, "occurredAt": "2026-11-25T01:00:00+02:00"})
    assert [day.day for day in (await progress.mine(user)).days] == [date(2026, 11, 24)]


@pytest.mark.parametrize(
    ("first", "last"), [(date(2026, 11, 2), date(2026, 11, 1)), (date(2025, 1, 1), date(2026, 1, 2))]
)
async def test_a_range_that_is_none_or_longer_than_a_year_is_refused(
    progress: ProgressService, first: date, last: date
) -> None:
    with pytest.raises(InvalidError):
        await progress.mine(ObjectId(), first, last)


async def test_nobody_sees_anothers_practice(
    history_of: Callable[[ObjectId], Any], progress: ProgressService, user: ObjectId
) -> None:
    await history_of(user).answers(ObjectId(), 100)
    await history_of(ObjectId()).answers(ObjectId(), 1, 2, 3)
    mine = await progress.mine(user)
    assert (mine.totals.attempts, mine.totals.best_score, mine.totals.sessions) == (1, 100, 1)


async def test_the_route_asks_for_a_range_and_tells_whoever_holds_the_answer(http: httpx.AsyncClient) -> None:
    path = "/api/v1/analytics/me?from=2026-11-01&to=2026-11-30"
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["from"], answer.json()["to"]) == (200, "2026-11-01", "2026-11-30")
    assert answer.headers["cache-control"] == "private, max-age=0"
    same = await http.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    for wrong in ("from=yesterday", "from=2026-11-02&to=2026-11-01", "from=2024-01-01"):
        refused = await http.get(f"/api/v1/analytics/me?{wrong}")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "query.from"), wrong
