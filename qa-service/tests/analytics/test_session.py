"""What came of one interview session."""

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.testing import Person
from qa_service.analytics.progress_service import ProgressService
from qa_service.events import QuestionsAdded, QuestionsDeleted, SessionCreated, SessionDeleted


@pytest.fixture
def session() -> ObjectId:
    return ObjectId()


async def test_questions_are_counted_by_what_they_are(
    history: Any, progress: ProgressService, user: ObjectId, session: ObjectId
) -> None:
    await history.tell(session, SessionCreated(user=user, role="Engineer", topics=["SQL"]), days_ago=2)
    await history.generates(session, hard=1, easy=3)
    own = {"user": user, "count": 1, "groups": [{"category": "Node.js", "difficulty": "hard", "count": 1}]}
    await history.tell(session, QuestionsAdded.model_validate(own))
    found = (await progress.session(user, session)).model_dump(mode="json", by_alias=True)
    assert (found["sessionId"], found["createdAt"]) == (str(session), "2026-11-25T09:30:00Z")
    assert found["questions"] == {
        "total": 5,
        "byDifficulty": [{"name": "easy", "count": 3}, {"name": "hard", "count": 2}],
        "byCategory": [{"name": "SQL", "count": 4}, {"name": "Node.js", "count": 1}],
    }


async def test_scores_are_told_by_topic(
    history: Any, progress: ProgressService, user: ObjectId, session: ObjectId
) -> None:
    await history.answers(session, 20, 41)
    await history.answers(session, 90, category="Go")
    await history.answers(ObjectId(), 100, category="Go")  # in another session
    found = await progress.session(user, session)
    assert found.scores.model_dump() == {"attempts": 3, "mean_score": 50.3, "best_score": 90}
    assert [(topic.topic, topic.attempts, topic.mean_score, topic.best_score) for topic in found.topics] == [
        ("SQL", 2, 30.5, 41),
        ("Go", 1, 90.0, 90),
    ]


async def test_progress_takes_each_questions_best_answer_and_forgets_a_question_that_is_gone(
    history: Any, progress: ProgressService, user: ObjectId, session: ObjectId
) -> None:
    tried, well, gone = ObjectId(), ObjectId(), ObjectId()
    await history.generates(session, easy=4)
    await history.answers(session, 64, question=tried)
    await history.answers(session, 40, 65, 10, question=well)
    await history.answers(session, 100, question=gone)
    before = (await progress.session(user, session)).progress
    assert (before.practised, before.good, before.practised_share, before.good_share) == (3, 2, 0.75, 0.5)
    group = {"category": "SQL", "difficulty": "easy", "count": 1}
    removal = {"user": user, "count": 1, "groups": [group], "questions": [gone]}
    await history.tell(session, QuestionsDeleted.model_validate(removal))
    after = await progress.session(user, session)
    assert (after.progress.practised, after.progress.good, after.progress.good_share) == (2, 1, 0.333)
    assert after.scores.best_score == 100  # it was practised all the same


async def test_the_days_are_a_time_line_of_all_that_happened(
    history: Any, progress: ProgressService, user: ObjectId, session: ObjectId
) -> None:
    await history.generates(session, days_ago=3, easy=2)
    await history.answers(session, 50, 60, days_ago=1)
    await history.reviews(session, days_ago=1)
    await history.interviews(session)
    found = await progress.session(user, session)
    assert [tuple(day.model_dump().values()) for day in found.days] == [
        (date(2026, 11, 24), 0, None, 0, 0, 2),
        (date(2026, 11, 26), 2, 55.0, 1, 0, 0),
        (date(2026, 11, 27), 0, None, 0, 1, 0),
    ]
    assert (found.reviews, found.interviews) == (1, 1)


async def test_a_session_of_another_and_a_deleted_one_do_not_exist(
    history: Any, progress: ProgressService, user: ObjectId, session: ObjectId
) -> None:
    await history.generates(session, easy=1)
    with pytest.raises(NotFoundError):
        await progress.session(ObjectId(), session)
    await history.tell(session, SessionDeleted(user=user))
    await history.answers(session, 50)  # late
    with pytest.raises(NotFoundError):
        await progress.session(user, session)


async def test_the_route_shows_ones_own_session_and_says_when_nothing_is_new(
    http: httpx.AsyncClient, person: Person, history_of: Callable[[ObjectId], Any], session: ObjectId
) -> None:
    path = f"/api/v1/analytics/sessions/{session}"
    assert (await http.get(path)).status_code == 404
    history = history_of(person.id)
    await history.generates(session, easy=1)
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, max-age=0")
    held = {"If-None-Match": answer.headers["etag"]}
    assert (await http.get(path, headers=held)).status_code == 304
    await history.answers(session, 80)
    newer = await http.get(path, headers=held)
    assert (newer.status_code, newer.json()["scores"]["bestScore"]) == (200, 80)
