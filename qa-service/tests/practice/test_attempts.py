"""Attempts from hand-in to history: what is kept, what is shown, and what becomes of it when something fails."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.practice.repository import AttemptRepository
from qa_service.practice.schemas import DraftChange
from qa_service.reviews.schemas import NewReview
from qa_service.worker import QaWorker, event_handlers

Call = Callable[..., Awaitable[Any]]
GOOD = "An index is a sorted structure. It makes writes slower. It serves range queries."
HALF = "An index is a sorted structure. The rest I have forgotten again."


@pytest.fixture
async def own(start: Call, add_question: Call, person: Person) -> Document:
    """A question of `person`."""
    found: Document = await add_question(await start(person.id, generate=False), person.id)
    return found


async def test_an_attempt_is_followed_over_http_from_the_answer_to_its_score(
    http: httpx.AsyncClient, own: Document, worker: QaWorker, judges: Any
) -> None:
    judges(honest=1)
    path = f"/api/v1/questions/{own['_id']}/attempts"
    started = await http.post(path, json={"answer": GOOD})
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    mine = f"/api/v1/attempts/{started.json()['id']}"
    assert (await http.get(mine)).json()["score"] is None
    await worker.work.run(ObjectId(started.json()["jobId"]))
    shown = (await http.get(mine)).json()
    assert (shown["status"], shown["band"], shown["isBest"]) == ("scored", "excellent", True)
    assert (shown["questionId"], shown["sessionId"]) == (str(own["_id"]), str(own["session"]))
    assert shown["points"][0]["span"] == {"start": 0, "end": 30}
    listed = (await http.get(path)).json()
    assert listed["items"] == [shown]
    best = {"attempts": 1, "bestScore": shown["score"], "lastScore": shown["score"], "bestAttempt": shown["id"]}
    assert listed["practice"] == best
    job = (await http.get(f"/api/v1/jobs/{started.json()['jobId']}")).json()
    assert job["result"] == {"attempt": shown["id"], "score": shown["score"], "band": "excellent"}
    assert (await http.delete(mine)).status_code == 204
    assert (await http.get(mine)).status_code == 404


async def test_a_wrong_answer_is_refused_by_the_name_of_its_field(http: httpx.AsyncClient, own: Document) -> None:
    path = f"/api/v1/questions/{own['_id']}/attempts"
    for wrong in ({"answer": " "}, {"answer": "x" * 10_001}, {}, {"answer": GOOD, "score": 100}):
        answer = await http.post(path, json=wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await http.post(f"/api/v1/questions/{ObjectId()}/attempts", json={"answer": GOOD})).status_code == 404
    assert (await http.get(f"/api/v1/questions/{ObjectId()}/attempts")).status_code == 404


async def test_a_retry_keeps_the_best_and_a_deleted_best_gives_way_to_the_next(
    question: Document, answered: Call, judges: Any, container: QaContainer, user: ObjectId
) -> None:
    judges(honest=2)
    best = await answered(question)
    worse = await answered(question, HALF)
    page = await container.attempts.page(user, question["_id"], 1, None)
    assert [(each["_id"], each["isBest"]) for each in page["items"]] == [(worse["_id"], False)]
    assert page["practice"]["bestScore"] == best["score"] > page["practice"]["lastScore"] == worse["score"]
    rest = await container.attempts.page(user, question["_id"], 1, page["nextCursor"])
    assert [(each["_id"], each["isBest"]) for each in rest["items"]] == [(best["_id"], True)]
    await container.attempts.delete(user, best["_id"])
    page = await container.attempts.page(user, question["_id"], 5, None)
    assert [each["isBest"] for each in page["items"]] == [True]
    assert (page["practice"]["attempts"], page["practice"]["bestScore"]) == (1, worse["score"])


async def test_of_many_scored_at_the_same_time_none_is_lost(
    question: Document, hand_in: Call, attempt: Call, container: QaContainer, user: ObjectId
) -> None:
    started = [await hand_in(question, "no") for _ in range(5)]
    await asyncio.gather(*[attempt(each["jobId"]) for each in started])
    page = await container.attempts.page(user, question["_id"], 10, None)
    assert [each["status"] for each in page["items"]] == ["scored"] * 5
    assert page["practice"]["attempts"] == 5
    events = container.resources.mongo.db.events.find({"type": "answer.graded"}, sort=[("sequence", 1)])
    assert [event["sequence"] for event in await events.to_list()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("last", ["score", "sum_up"])
async def test_what_dies_while_it_stores_the_score_stores_it_once_and_pays_once(
    last: str, question: Document, hand_in: Call, attempt: Call, judges: Any, provider: Any, worker: QaWorker,
    container: QaContainer, user: ObjectId, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    judges(honest=1)
    started = await hand_in(question)
    write = getattr(AttemptRepository, last)

    async def dies(*args: Any, **options: Any) -> Any:
        await write(*args, **options)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(AttemptRepository, last, dies)
        with pytest.raises(ConnectionError):
            await attempt(started["jobId"])
    assert (await container.attempts.get(user, started["id"]))["status"] == "queued"
    for _ in range(2):
        assert (await attempt(started["jobId"]))["status"] == "succeeded"
    assert (await container.attempts.get(user, started["id"]))["status"] == "scored"
    assert len(provider.requests) == 1
    assert await container.resources.mongo.db.events.count_documents({"type": "answer.graded"}) == 1


async def test_without_a_model_an_attempt_is_not_scored_and_says_why(
    question: Document, hand_in: Call, attempt: Call, provider: Any, container: QaContainer, user: ObjectId
) -> None:
    provider.will(provider.failing(401, "bad key"))
    started = await hand_in(question)
    job = await attempt(started["jobId"])
    shown = await container.attempts.get(user, started["id"])
    assert (job["status"], shown["status"], shown["score"]) == ("failed", "notScored", None)
    assert shown["reason"] == job["error"] != ""
    [listed] = (await container.attempts.page(user, question["_id"], 5, None))["items"]
    assert (listed["status"], listed["isBest"]) == ("notScored", False)
    assert await container.resources.mongo.db.events.count_documents({"type": "answer.graded"}) == 0


async def test_a_cancelled_job_leaves_the_answer_unscored(
    question: Document, hand_in: Call, attempt: Call, container: QaContainer, user: ObjectId
) -> None:
    started = await hand_in(question)
    await container.jobs.cancel(user, started["jobId"])
    await attempt(started["jobId"])
    shown = await container.attempts.get(user, started["id"])
    assert (shown["status"], shown["reason"]) == ("notScored", "The job that scores it was cancelled.")


async def test_an_attempt_deleted_before_its_score_comes_gets_none(
    question: Document, hand_in: Call, attempt: Call, judges: Any, container: QaContainer, user: ObjectId
) -> None:
    started = await hand_in(question)
    await container.attempts.delete(user, started["id"])
    job = await attempt(started["jobId"])
    assert (job["status"], job["error"]) == ("failed", "The attempt has been deleted.")
    assert await container.resources.mongo.db.attempts.count_documents({}) == 0


async def test_an_attempt_deleted_while_the_model_thinks_gets_no_score_and_no_event(
    question: Document, hand_in: Call, attempt: Call, provider: Any, judged: Any, container: QaContainer, user: ObjectId
) -> None:
    started = await hand_in(question)

    async def thinks(_: Document) -> Any:
        await container.attempts.delete(user, started["id"])
        return provider.saying(json.dumps(judged([("covered", "An index is a sorted structure")] * 3)))

    provider.will(thinks)
    job = await attempt(started["jobId"])
    assert (job["status"], job["error"]) == ("failed", "The attempt has been deleted.")
    assert await container.resources.mongo.db.events.count_documents({"type": "answer.graded"}) == 0


async def test_attempts_are_limited_by_the_hour(
    container: QaContainer, question: Document, hand_in: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container.resources.limits, "_scale", 1.0)
    monkeypatch.setattr(container.attempts, "_rule", "2/hour")
    for _ in range(2):
        await hand_in(question)
    with pytest.raises(Exception, match="used up"):
        await hand_in(question)
    assert await container.resources.mongo.db.attempts.count_documents({}) == 2


async def test_nobody_sees_or_removes_what_another_has_answered(
    question: Document, hand_in: Call, container: QaContainer
) -> None:
    started, stranger = await hand_in(question), ObjectId()
    for call in (
        container.attempts.get(stranger, started["id"]),
        container.attempts.delete(stranger, started["id"]),
        container.attempts.page(stranger, question["_id"], 5, None),
        container.drafts.get(stranger, question["_id"]),
        container.drafts.delete(stranger, question["_id"]),
    ):
        with pytest.raises(NotFoundError):
            await call
    assert await container.resources.mongo.db.attempts.count_documents({}) == 1


@pytest.mark.parametrize("what", ["session", "question"])
async def test_what_was_practised_goes_with_its_question_and_session(
    what: str, start: Call, add_question: Call, hand_in: Call, attempt: Call, worker: QaWorker, container: QaContainer,
    user: ObjectId,
) -> None:  # fmt: skip
    session = await start(generate=False)
    gone, other = await add_question(session), await add_question(await start(generate=False), text="What else?")
    db = container.resources.mongo.db
    for question in (gone, other):
        await attempt((await hand_in(question, "no"))["jobId"])
        await container.drafts.save(user, question["_id"], draft("again"))
        await container.reviews.review(user, question["_id"], rated("good"))
    if what == "session":
        event = {"type": "session.deleted", "aggregateId": str(session["_id"]), "data": {"user": str(user)}}
    else:
        event = {"type": "questions.deleted", "aggregateId": str(session["_id"]),
                 "data": {"user": str(user), "questions": [str(gone["_id"])]}}  # fmt: skip
    handler = event_handlers(worker)[str(event["type"])]
    for _ in range(2):
        await container.resources.mongo.transaction(lambda transaction: handler(event, transaction))
    left = {name: await db[name].count_documents({}) for name in
            ("attempts", "drafts", "practice", "review_cards", "review_log")}  # fmt: skip
    assert left == dict.fromkeys(left, 1)
    assert (await db.attempts.find_one({}))["question"] == other["_id"]


def draft(answer: str, version: int | None = None) -> Any:
    return DraftChange(answer=answer, version=version)


def rated(rating: str) -> Any:
    return NewReview.model_validate({"rating": rating})
