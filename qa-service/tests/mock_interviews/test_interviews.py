"""A mock interview from its first question to its report."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.mock_interviews.schemas import InterviewStart
from qa_service.worker import QaWorker, create_worker

Call = Callable[..., Awaitable[Any]]
BAD = "Bananas are yellow and have nothing to do with it."


async def test_the_question_is_asked_without_its_answer(
    http: httpx.AsyncClient, start: Call, add_question: Call, person: Person
) -> None:
    session = await start(person.id, generate=False)
    question = await add_question(session, person.id, answer="The secret model answer", keyPoints=["A secret point"])
    path = f"/api/v1/sessions/{session['_id']}/interviews"
    begun = await http.post(path, json={"questionCount": 5, "secondsPerQuestion": 60})
    assert begun.status_code == 201
    body = begun.json()
    assert (body["questionCount"], body["totalSeconds"], body["status"]) == (1, 60, "running")
    assert body["question"]["text"] == question["text"]
    assert "secret" not in begun.text
    assert 0 < body["remainingSeconds"] <= 60
    mine = f"/api/v1/interviews/{body['id']}"
    assert "secret" not in (await http.get(mine)).text
    for wrong in (
        {},
        {"questionId": str(question["_id"])},
        {"questionId": str(question["_id"]), "answer": "x", "skip": True},
    ):
        assert (await http.post(f"{mine}/answers", json=wrong)).status_code == 422
    skipped = await http.post(f"{mine}/answers", json={"questionId": str(question["_id"]), "skip": True})
    assert (skipped.status_code, skipped.json()["status"]) == (200, "completed")
    listed = (await http.get("/api/v1/interviews", params={"sessionId": str(session["_id"])})).json()
    assert [each["id"] for each in listed["items"]] == [body["id"]]
    assert (await http.post(f"{mine}/finish")).json()["ended"] == "allAnswered"


async def test_difficulty_goes_up_after_good_answers_and_down_after_bad_ones(
    begin: Call, say: Call, good: Call, honest: Any, grade: Call
) -> None:
    honest(6)
    interview = await begin(questionCount=7)
    asked = [interview["question"]["difficulty"]]
    for answers_well in (True, True, False, False, False):
        interview = await say(interview, await good(interview) if answers_well else BAD)
        await grade()
        asked.append(interview["question"]["difficulty"])
    # A score counts from the question after the next on: this one was asked before it had come.
    assert asked == ["medium", "medium", "hard", "hard", "medium", "easy"]


async def test_topics_take_turns(begin: Call, say: Call) -> None:
    interview = await begin(questionCount=6)
    topics = [interview["question"]["category"]]
    for _ in range(5):
        interview = await say(interview)
        topics.append(interview["question"]["category"])
    assert sorted(topics[:3]) == sorted(topics[3:]) == ["Go", "SQL", "Testing"]


async def test_no_question_is_asked_twice_and_an_interview_ends_when_there_are_no_more(begin: Call, say: Call) -> None:
    interview = await begin(questionCount=50, topics=["sql"])
    assert interview["questionCount"] == 3
    asked = []
    while interview["question"]:
        asked.append(interview["question"]["questionId"])
        interview = await say(interview)
    assert len(set(asked)) == len(asked) == 3
    assert interview["status"] == "completed"


async def test_a_late_answer_counts_as_late_by_the_clock_of_the_server(begin: Call, say: Call, clock: Any) -> None:
    interview = await begin(questionCount=2, secondsPerQuestion=30, totalSeconds=600)
    clock.go_on(30)
    interview = await say(interview, BAD)
    clock.go_on(33)
    interview = await say(interview, BAD)
    assert [answer["late"] for answer in interview["answers"]] == [False, True]
    assert interview["report"]["late"] == 1


async def test_an_interview_ends_by_itself_when_its_time_is_up(
    begin: Call, say: Call, clock: Any, container: QaContainer, user: ObjectId
) -> None:
    interview = await begin(questionCount=3, totalSeconds=100)
    clock.go_on(50)
    interview = await say(interview, BAD)
    clock.go_on(1000)
    with pytest.raises(ConflictError, match="ended"):
        await say(interview, "Too late, alas: the time is up.")
    shown = await container.interviews.get(user, interview["_id"])
    assert (shown["status"], shown["ended"], shown["remainingSeconds"]) == ("completed", "timeUp", 0.0)
    assert shown["finishedAt"] == shown["endsAt"]
    assert [entry["reason"] for entry in shown["report"]["studyNext"]] == ["unanswered"]
    assert await container.resources.mongo.db.attempts.count_documents({}) == 1


async def test_the_sweep_ends_what_nobody_looks_at_and_leaves_the_rest(
    begin: Call, clock: Any, container: QaContainer, worker: QaWorker, grade: Call
) -> None:
    await begin(totalSeconds=100)
    assert await worker.endings.sweep(clock.now) == 0
    clock.go_on(1000)
    assert await worker.endings.sweep(clock.now) == 1
    assert await worker.endings.sweep(clock.now) == 0
    [stored] = await container.resources.mongo.db.interviews.find().to_list()
    assert stored["status"] == "completed"
    assert [job["status"] for job in await grade("interview_report")] == ["succeeded"]
    [event] = await container.resources.mongo.db.events.find({"type": "interview.completed"}).to_list()
    assert (event["data"]["score"], event["data"]["answered"]) == (None, 0)


@pytest.mark.usefixtures("settings")
def test_the_sweep_is_due_every_five_minutes() -> None:
    assert create_worker()._runtime.schedules["end_interviews"] == "*/5 * * * *"


async def test_the_same_answer_sent_twice_at_once_counts_once_and_another_is_refused(
    begin: Call, say: Call, container: QaContainer
) -> None:
    interview = await begin(questionCount=3)
    question = interview["question"]["questionId"]
    both = await asyncio.gather(*[say(interview, BAD) for _ in range(4)])
    assert len({str(each["question"]["questionId"]) for each in both}) == 1
    assert await container.resources.mongo.db.attempts.count_documents({}) == 1
    assert [answer["questionId"] for answer in both[0]["answers"]] == [question]
    with pytest.raises(ConflictError, match="answered already"):
        await say(interview, "Another answer to it, much better.", question)
    with pytest.raises(ConflictError, match="answered already"):
        await say(interview, None, question)
    with pytest.raises(ConflictError, match="not the question"):
        await say(interview, BAD, ObjectId())


async def test_of_two_different_answers_at_once_one_counts(begin: Call, say: Call, container: QaContainer) -> None:
    interview = await begin(questionCount=3)
    answers = [say(interview, f"This is the answer number {number}.") for number in range(4)]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError"] * 3 + ["dict"]
    assert await container.resources.mongo.db.attempts.count_documents({}) == 1


async def test_a_session_has_one_running_interview(begin: Call, clock: Any, container: QaContainer) -> None:
    outcomes = await asyncio.gather(*[begin(totalSeconds=60) for _ in range(3)], return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError"] * 2 + ["dict"]
    clock.go_on(100)
    await begin()
    statuses = [each["status"] for each in await container.resources.mongo.db.interviews.find().to_list()]
    assert sorted(statuses) == ["completed", "running"]


async def test_an_answer_that_may_not_be_scored_now_is_kept_and_the_interview_goes_on(
    begin: Call, say: Call, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container.resources.limits, "_scale", 1.0)
    monkeypatch.setattr(container.attempts, "_rule", "1/hour")
    interview = await begin(questionCount=3)
    for _ in range(2):
        interview = await say(interview, BAD)
    assert [answer["status"] for answer in interview["answers"]] == ["queued", "notScored"]
    assert interview["question"]["number"] == 3


async def test_nobody_sees_or_answers_the_interview_of_another(
    begin: Call, container: QaContainer, session: Document
) -> None:
    interview, stranger = await begin(), ObjectId()
    for call in (
        container.interviews.get(stranger, interview["_id"]),
        container.interviews.finish(stranger, interview["_id"]),
        container.interviews.start(stranger, session["_id"], InterviewStart()),
    ):
        with pytest.raises(NotFoundError):
            await call
    assert (await container.interviews.page(stranger, None, 5, None))["items"] == []
