"""A worker process is killed with SIGKILL between any two steps; another goes on with its job."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.models import Document, utc_now
from qa_service.container import QaContainer
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]
Kill = Callable[[ObjectId, int], Awaitable[bool]]
QUESTIONS = 3


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that nobody has come back for are forgotten at once."""
    monkeypatch.setattr("qa_service.llm.ledger.FORGOTTEN_AFTER", timedelta(0))


@pytest.fixture
async def killed_before(container: QaContainer) -> AsyncIterator[Kill]:
    """Does a job in a process that dies before its n-th lasting write; False when it has come to its end first."""
    script = str(Path(__file__).with_name("dying_worker.py"))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    # Its log goes to standard output too; only lines that are a number are answers.
    process = await asyncio.create_subprocess_exec(sys.executable, script, **pipes, env=dict(os.environ))
    assert process.stdin
    assert process.stdout

    async def call(job: ObjectId, number: int) -> bool:
        process.stdin.write(f"{job} {number}\n".encode())
        while not (line := (await process.stdout.readline()).strip()).isdigit():
            assert process.returncode is None
            assert line or not process.stdout.at_eof()
        # What the server does by itself after a minute, and half a minute later.
        await container.resources.mongo.client.admin.command("killAllSessions", [])
        past = {"$set": {"leaseUntil": utc_now() - timedelta(seconds=1)}}
        await container.resources.mongo.db.jobs.update_one({"_id": job, "status": "running"}, past)
        assert int(line) in (0, signal.SIGKILL)
        return int(line) == signal.SIGKILL

    yield call
    process.stdin.close()
    await process.wait()


async def test_wherever_a_worker_is_killed_there_are_n_questions_one_charge_a_call_and_one_event(
    killed_before: Kill, provider: Any, container: QaContainer, worker: QaWorker, start: Call, an_hour_later: None
) -> None:

    async def slow(interview: Document) -> Any:
        """So that questions are stored while others still come."""
        return replace(provider.honest(interview), before_piece=lambda _: asyncio.sleep(0.02))

    number, was_killed = 0, True
    while was_killed:
        number += 1
        asked_before = len(provider.requests)
        provider.will(slow)
        session = await start(ObjectId(), questionCount=QUESTIONS)
        job_id = session["generation"]["jobId"]
        was_killed = await killed_before(job_id, number)
        await worker.work.run(job_id)
        provider.script.clear()
        # A job that lacks nothing asks for nothing more, so its open call is booked by the clock.
        await worker.model.settle_forgotten()
        await check(container, session, job_id, len(provider.requests) - asked_before)
    # The lease, the first progress, the call, a store at least, its settlement, the end.
    assert number > 6


async def check(container: QaContainer, session: Document, job_id: ObjectId, asked: int) -> None:
    db = container.resources.mongo.db
    job = await db.jobs.find_one({"_id": job_id})
    assert job
    assert (job["status"], job["result"]["questions"]) == ("succeeded", QUESTIONS)
    questions = await db.questions.find({"session": session["_id"]}).to_list()
    assert sorted(question["ordinal"] for question in questions) == list(range(QUESTIONS))
    assert len({question["text"] for question in questions}) == QUESTIONS
    stored = await db.sessions.find_one({"_id": session["_id"]})
    assert stored
    assert (stored["questionCount"], stored["status"]) == (QUESTIONS, "in-progress")
    events = await db.events.find({"type": "questions.generated", "aggregateId": session["_id"]}).to_list()
    assert [event["data"]["count"] for event in events] == [QUESTIONS]
    calls = await db.llm_calls.find({"job": job_id}).to_list()
    assert {call["state"] for call in calls} <= {"done", "broken"}
    # A call that is noted and not sent is booked too, since nobody can know: never less, and never one twice.
    assert asked <= len(calls) <= asked + 1
    spent = await db.llm_spend.find({"user": questions[0]["user"]}).to_list()
    assert sum(day.get("calls", 0) for day in spent) == len(calls)
    assert sum(day.get("costMicros", 0) for day in spent) == sum(call["costMicros"] for call in calls)
