"""Cancelling: who waits never starts, who runs stops and writes nothing more."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared import jobs as module
from intervai_shared.jobs import JobRun
from intervai_shared.models import Document


@pytest.fixture(autouse=True)
def quick_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.05)


async def test_a_queued_job_that_is_cancelled_never_starts(jobs: Any, work: Any) -> None:
    job_id = await jobs.add()
    assert await jobs.cancel(job_id)
    await jobs.records.run(job_id, work)
    assert not work.runs
    assert await jobs.state(job_id) == ("cancelled", 0)


async def test_a_running_job_that_is_cancelled_is_stopped_and_has_no_effect(
    jobs: Any, new_work: Callable[[], Any]
) -> None:
    job_id, work = await jobs.add(), new_work()
    running = asyncio.create_task(jobs.records.run(job_id, work))
    await work.began.wait()
    assert await jobs.cancel(job_id)
    await asyncio.wait({running}, timeout=20)
    assert running.result() is None  # it was never let go on, and that is no error for the queue
    assert await jobs.state(job_id) == ("cancelled", 1)
    assert await jobs.effects() == []


async def test_a_job_cancelled_before_its_commit_leaves_no_effect(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 60)  # nobody tells the work
    job_id = await jobs.add()

    async def late(run: JobRun) -> Document:
        await jobs.cancel(job_id)
        await jobs.succeed(run)
        raise AssertionError("committed a cancelled job")

    await jobs.records.run(job_id, late)
    assert await jobs.state(job_id) == ("cancelled", 1)
    assert await jobs.effects() == []


async def test_cancelled_stays_cancelled_when_the_work_fails_meanwhile(jobs: Any) -> None:
    job_id = await jobs.add()

    async def fails(_: JobRun) -> Document:
        await jobs.cancel(job_id)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await jobs.records.run(job_id, fails)
    assert await jobs.state(job_id) == ("cancelled", 1)


async def test_a_job_that_has_ended_cannot_be_cancelled(jobs: Any, work: Any) -> None:
    job_id = await jobs.add()
    await jobs.records.run(job_id, work)
    assert not await jobs.cancel(job_id)
    assert await jobs.state(job_id) == ("succeeded", 1)


async def test_anothers_job_cannot_be_cancelled(jobs: Any) -> None:
    job_id = await jobs.add()
    owner = (await jobs.get(job_id))["user"]
    assert not await jobs.records.cancel({"user": ObjectId()}, job_id)
    assert await jobs.state(job_id) == ("queued", 0)
    assert await jobs.records.cancel({"user": owner}, job_id)


async def test_of_a_cancel_and_a_commit_at_once_exactly_one_wins(jobs: Any) -> None:
    for _ in range(5):
        job_id = await jobs.add()

        async def work(run: JobRun) -> Document:
            await asyncio.gather(jobs.succeed(run), jobs.cancel(run.id))
            return {}

        before = len(await jobs.effects())
        await jobs.records.run(job_id, work)
        status, _ = await jobs.state(job_id)
        assert status in {"succeeded", "cancelled"}
        assert len(await jobs.effects()) - before == (status == "succeeded")
