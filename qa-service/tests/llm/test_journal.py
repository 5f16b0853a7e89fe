"""Runs that die, lose their job or come late: nothing is paid twice and nothing is stored twice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import pytest
from bson import ObjectId
from pymongo.errors import BulkWriteError

from intervai_shared.models import Document, utc_now
from qa_service.container import QaContainer
from qa_service.questions.repository import QuestionRepository
from qa_service.sessions.schemas import SessionChange
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    honest: Callable[..., Any]
    saying: Callable[..., Any]


async def end_lease(container: QaContainer, job_id: ObjectId) -> None:
    """Half a minute later."""
    past = {"$set": {"leaseUntil": utc_now() - timedelta(seconds=1)}}
    await container.resources.mongo.db.jobs.update_one({"_id": job_id}, past)


async def test_a_run_that_dies_before_it_stores_does_not_pay_again(
    provider: Provider, worker: QaWorker, start: Call, attempt: Call, texts: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: object) -> None:
        raise ConnectionError

    session = await start(questionCount=12)
    with monkeypatch.context() as broken:
        broken.setattr(worker.resources.outbox, "transaction", fails)
        with pytest.raises(ConnectionError):
            await attempt(session["generation"]["jobId"])
    assert len(provider.interviews) == 1
    assert (await attempt(session["generation"]["jobId"]))["status"] == "succeeded"
    assert len(provider.interviews) == 2
    assert len(set(await texts(session))) == 12


async def test_a_killed_run_goes_on_where_its_journal_ends(
    provider: Provider, worker: QaWorker, container: QaContainer, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=20)
    job_id = session["generation"]["jobId"]
    run = asyncio.create_task(worker.work.run(job_id))

    async def killed(interview: Document) -> Any:
        run.cancel()
        return provider.honest(interview)

    cut = provider.saying("", "length")
    provider.will(cut, provider.honest({"count": 5}), killed)
    with pytest.raises(asyncio.CancelledError):
        await run
    await end_lease(container, job_id)
    job = await attempt(job_id)
    assert [interview["count"] for interview in provider.interviews] == [10, 5, 5, 5, 5, 5]
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert len(set(await texts(session))) == 20


async def test_a_message_that_comes_twice_changes_nothing(
    provider: Provider, container: QaContainer, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=3)
    first = await attempt(session["generation"]["jobId"])
    found = await texts(session)
    assert await attempt(session["generation"]["jobId"]) == first
    assert await texts(session) == found
    assert len(provider.interviews) == 1
    assert await container.resources.mongo.db.events.count_documents({"type": "questions.generated"}) == 1


async def test_a_run_that_has_lost_its_lease_writes_nothing(
    provider: Provider, container: QaContainer, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=2)
    job_id = session["generation"]["jobId"]

    async def slow(interview: Document) -> Any:
        """Meanwhile another worker takes the job up."""
        await container.resources.mongo.db.jobs.update_one({"_id": job_id}, {"$inc": {"attempt": 1}})
        return provider.honest(interview)

    provider.will(slow)
    job = await attempt(job_id)
    assert (job["status"], job["attempt"], job["result"]) == ("running", 2, None)
    assert await texts(session) == []


async def test_the_database_itself_refuses_a_question_of_a_generation_twice(
    container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start(questionCount=1)
    await attempt(session["generation"]["jobId"])
    [question] = (await container.sessions.with_questions(user, session["_id"]))["questions"]
    mongo = container.resources.mongo
    again = [{**question, "_id": ObjectId()}]
    with pytest.raises(BulkWriteError, match="E11000"):
        await mongo.transaction(lambda transaction: QuestionRepository(mongo.db).insert(user, again, transaction))


async def test_a_session_that_is_deleted_meanwhile_fails_the_job_and_keeps_no_questions(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start()

    async def deleted(interview: Document) -> Any:
        await container.sessions.delete(user, session["_id"])
        return provider.honest(interview)

    provider.will(deleted)
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["error"]) == ("failed", "The session has been deleted.")
    assert await container.resources.mongo.db.questions.count_documents({}) == 0


async def test_nothing_is_asked_for_a_session_that_has_been_deleted_before(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start()
    await container.sessions.delete(user, session["_id"])
    assert (await attempt(session["generation"]["jobId"]))["error"] == "The session has been deleted."
    assert provider.interviews == []


async def test_nothing_is_asked_for_a_session_that_has_been_cancelled_before(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start()
    await container.sessions.change(user, session["_id"], SessionChange(status="cancelled"))
    assert (await attempt(session["generation"]["jobId"]))["error"] == "The session has been cancelled."
    assert provider.interviews == []


async def test_a_job_that_is_cancelled_meanwhile_stores_nothing_and_stays_cancelled(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=30)

    async def cancelled(interview: Document) -> Any:
        await container.jobs.cancel(user, session["generation"]["jobId"])
        return provider.honest(interview)

    provider.will(cancelled)
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["result"]) == ("cancelled", None)
    assert await texts(session) == []
    assert len(provider.interviews) == 1


async def test_a_job_that_was_cancelled_in_the_queue_is_not_begun(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start()
    await container.jobs.cancel(user, session["generation"]["jobId"])
    assert (await attempt(session["generation"]["jobId"]))["status"] == "cancelled"
    assert provider.interviews == []
