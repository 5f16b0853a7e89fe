"""The report at the end of a mock interview: always there, with advice when there is a model."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.jobs import PermanentError
from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]
BAD = "Bananas are yellow and have nothing to do with it."


async def events(container: QaContainer) -> list[Document]:
    return await container.resources.mongo.db.events.find({"type": "interview.completed"}).to_list()


async def test_an_interview_goes_from_question_to_question_to_its_report(
    begin: Call, say: Call, good: Call, honest: Any, grade: Call, container: QaContainer, user: ObjectId, clock: Any
) -> None:
    honest(4)
    interview = await begin(questionCount=3)
    for _ in range(2):
        clock.go_on(40)
        interview = await say(interview, await good(interview))
        await grade()
    clock.go_on(40)
    ended = await say(interview, BAD)
    assert (ended["status"], ended["ended"], ended["question"]) == ("completed", "allAnswered", None)
    assert ended["report"]["scored"] == 2
    await grade()
    [job] = await grade("interview_report")
    shown = await container.interviews.get(user, interview["_id"])
    report = shown["report"]
    assert (report["answered"], report["scored"], report["late"], report["skipped"]) == (3, 3, 0, 0)
    assert report["score"] == round(sum(answer["score"] for answer in shown["answers"]) / 3) == job["result"]["score"]
    assert (report["meanSeconds"], report["usedSeconds"]) == (40.0, 120.0)
    weak = shown["answers"][2]
    assert [entry["questionId"] for entry in report["studyNext"]] == [str(weak["questionId"])]
    assert {point["questionId"] for point in report["missed"]} == {str(weak["questionId"])}
    assert report["advice"]["model"] == "model-that-answered"
    assert report["advice"]["promptVersion"] == "interview-report-1"
    [event] = await events(container)
    assert event["data"] == {
        "user": str(user),
        "session": str(shown["session"]),
        "score": report["score"],
        "answered": 3,
    }


@pytest.mark.parametrize("fault", [401, 500])
async def test_without_a_model_there_is_the_computed_report_and_no_advice(
    fault: int, begin: Call, say: Call, good: Call, honest: Any, grade: Call, attempt: Call, provider: Any,
    container: QaContainer, user: ObjectId, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    honest(1)
    interview = await begin(questionCount=1)
    await say(interview, await good(interview))
    await grade()
    score = (await container.interviews.get(user, interview["_id"]))["answers"][0]["score"]
    assert score > 80
    [waiting] = await container.resources.mongo.db.jobs.find({"kind": "interview_report"}).to_list()
    asked = 0

    async def fails(*_: Any, **__: Any) -> None:
        nonlocal asked
        asked += 1
        raise PermanentError("The language model refused the request.") if fault == 401 else ConnectionError

    monkeypatch.setattr("qa_service.llm.model.LanguageModel.ask", fails)
    if fault == 500:
        with pytest.raises(ConnectionError):
            await attempt(waiting["_id"])
        early = await container.interviews.get(user, interview["_id"])
        assert (early["report"]["score"], await events(container)) == (score, [])
    assert (await attempt(waiting["_id"]))["status"] == "succeeded"
    shown = await container.interviews.get(user, interview["_id"])
    assert (shown["report"]["score"], shown["report"]["advice"]) == (score, None)
    assert [event["data"]["score"] for event in await events(container)] == [score]
    assert asked == (1 if fault == 401 else 2)


async def test_the_report_waits_for_the_last_scores_but_not_for_ever(
    begin: Call, say: Call, honest: Any, grade: Call, container: QaContainer, user: ObjectId,
    monkeypatch: pytest.MonkeyPatch, worker: QaWorker,
) -> None:  # fmt: skip
    monkeypatch.setattr("qa_service.mock_interviews.reporting.LOOK_SECONDS", 0.05)
    honest(2)
    interview = await begin(questionCount=1)
    await say(interview, "Something about it that is a real answer.")
    report, _ = await asyncio.gather(grade("interview_report"), grade())
    assert (
        report[0]["result"]["score"] == (await container.interviews.get(user, interview["_id"]))["answers"][0]["score"]
    )
    reporter = worker.work._kinds["interview_report"].__self__
    monkeypatch.setattr(reporter, "_patience", 0.1)
    again = await begin(questionCount=1)
    await say(again, "Something else that nobody scores in time.")
    assert (await grade("interview_report"))[0]["result"]["score"] is None
