"""The lease: one run at a time, taken over when its worker died, and fenced off when it comes back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pydantic import SecretStr

from intervai_shared import jobs as module
from intervai_shared.job_lease import LostLeaseError, renewed
from intervai_shared.jobs import GaveUpError, JobRecords, JobRun
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import connect
from intervai_shared.settings import ServiceSettings


@pytest.fixture(autouse=True)
def quick_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.05)


def dead(attempt: int) -> Document:
    """Fields of a job whose worker died in this attempt."""
    return {"status": "running", "attempt": attempt, "leaseUntil": utc_now() - timedelta(seconds=1)}


async def test_a_message_that_comes_while_another_worker_is_at_it_waits_and_does_nothing(
    jobs: Any, new_work: Callable[[], Any]
) -> None:
    job_id, first, second = await jobs.add(), new_work(), new_work()
    one = asyncio.create_task(jobs.records.run(job_id, first))
    await first.began.wait()
    two = asyncio.create_task(jobs.records.run(job_id, second))
    await asyncio.sleep(0.7)  # longer than a lease lives that nobody renews
    assert not two.done()
    assert not second.runs
    first.go_on.set()
    await asyncio.gather(one, two)
    assert await jobs.state(job_id) == ("succeeded", 1)
    assert await jobs.effects() == [1]


async def test_a_job_whose_worker_died_is_taken_up_once_its_lease_has_ended(jobs: Any, work: Any) -> None:
    job_id = await jobs.add(**{**dead(1), "leaseUntil": utc_now() + timedelta(seconds=0.3)})
    running = asyncio.create_task(jobs.records.run(job_id, work))
    await asyncio.sleep(0.1)
    assert not work.runs
    await running
    assert await jobs.state(job_id) == ("succeeded", 2)


async def test_a_job_whose_workers_died_three_times_has_failed(jobs: Any, work: Any) -> None:
    job_id = await jobs.add(**dead(3))
    with pytest.raises(GaveUpError):
        await jobs.records.run(job_id, work)
    assert not work.runs
    job = await jobs.get(job_id)
    assert (job["status"], job["error"]) == ("failed", "The job was given up after 3 attempts.")


async def test_a_run_that_lost_its_lease_can_write_nothing(jobs: Any) -> None:
    job_id = await jobs.add(status="running", attempt=2)
    before = await jobs.get(job_id)
    late = JobRun(job_id, 1, before, jobs.records, noted_at=0)
    for write in (late.progress(50), jobs.succeed(late), jobs.records.write(late, {"error": "x"})):
        with pytest.raises(LostLeaseError):
            await write
    assert await jobs.get(job_id) == before
    assert await jobs.effects() == []


async def test_a_run_that_lost_its_lease_is_stopped_and_the_new_one_goes_through(
    jobs: Any, new_work: Callable[[], Any], work: Any
) -> None:
    job_id, late = await jobs.add(), new_work()
    running = asyncio.create_task(jobs.records.run(job_id, late))
    await late.began.wait()
    await jobs.collection.update_one({"_id": job_id}, {"$set": {"status": "queued", "leaseUntil": None}})
    await jobs.records.run(job_id, work)
    await asyncio.wait({running}, timeout=20)
    assert running.result() is None  # it was never let go on, and that is no error for the queue
    assert await jobs.effects() == [2]
    assert await jobs.state(job_id) == ("succeeded", 2)


async def test_a_failure_of_a_run_that_lost_its_lease_does_not_touch_the_new_one(jobs: Any) -> None:
    job_id = await jobs.add()

    async def overtaken(_: JobRun) -> Document:
        taken = {"attempt": 2, "leaseUntil": utc_now() + timedelta(seconds=60)}
        await jobs.collection.update_one({"_id": job_id}, {"$set": taken})
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await jobs.records.run(job_id, overtaken)
    assert await jobs.state(job_id) == ("running", 2)


async def test_a_run_that_renewed_just_now_is_not_taken_over(jobs: Any) -> None:
    job_id = await jobs.add(**dead(1))
    seen = await jobs.get(job_id)
    await jobs.collection.update_one({"_id": job_id}, {"$set": {"leaseUntil": utc_now() + timedelta(seconds=60)}})
    assert not await jobs.records._take(seen)
    assert await jobs.state(job_id) == ("running", 1)


async def test_a_run_over_its_time_limit_counts_as_an_attempt_that_failed(
    jobs: Any, new_work: Callable[[], Any]
) -> None:
    job_id = await jobs.add()
    states = []
    for _ in range(3):
        work = new_work()
        running = asyncio.create_task(jobs.records.run(job_id, work))
        await work.began.wait()
        running.cancel()  # as the queue does then
        with pytest.raises(asyncio.CancelledError):
            await running
        states.append(await jobs.state(job_id))
    assert states == [("queued", 1), ("queued", 2), ("failed", 3)]


async def test_a_lease_is_renewed_on_when_mongo_comes_back(
    jobs: Any, settings: ServiceSettings, mongo_wire: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 60)
    uri = SecretStr(f"mongodb://127.0.0.1:{mongo_wire.port}/?directConnection=true")
    far = connect(settings.model_copy(update={"mongo_uri": uri, "mongo_read_uri": None, "mongo_timeout_ms": 100}))
    job_id = await jobs.add()
    began = asyncio.Event()

    async def work(_: JobRun) -> Document:
        began.set()
        await asyncio.sleep(3600)
        return {}

    running = asyncio.create_task(JobRecords(far.db.jobs, jobs.live).run(job_id, work))
    await began.wait()
    await mongo_wire.cut()
    await asyncio.sleep(0.5)  # several renewals fail
    before = (await jobs.get(job_id))["leaseUntil"]
    assert not running.done()
    await mongo_wire.mend()

    async def renewed() -> bool:
        return bool((await jobs.get(job_id))["leaseUntil"] > before)

    await eventually(renewed)
    running.cancel()
    await asyncio.wait({running})
    await far.close()


async def test_a_lease_is_not_renewed_on_though_the_driver_has_swallowed_the_cancellation() -> None:
    asked, renewals = asyncio.Event(), list[int]()

    async def swallows() -> None:
        renewals.append(1)
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    async with renewed(ObjectId(), swallows, 0.01):
        await asked.wait()
    await asyncio.sleep(0.1)
    assert len(renewals) == 1
