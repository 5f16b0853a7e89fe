"""A job's record: what it says at each step, and that each step happens once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from prometheus_client import REGISTRY

from intervai_shared.errors import UnavailableError
from intervai_shared.jobs import OUTAGE_PATIENCE, GaveUpError, JobRecords, JobRun, PermanentError
from intervai_shared.models import Document, utc_now
from intervai_shared.storage import StorageError


async def told(jobs: Any, job_id: ObjectId, count: int) -> list[Document]:
    """What those who watch the job have been told."""
    updates: list[Document] = []
    async for _, update in jobs.live.follow(f"job:{job_id}", "0-0"):
        updates.append(update)
        if len(updates) == count:
            return updates
    return updates


async def test_a_new_job_is_queued_and_not_yet_tried(jobs: Any) -> None:
    job = await jobs.get(await jobs.add())
    assert (job["status"], job["attempt"], job["progress"], job["error"], job["result"]) == ("queued", 0, 0, None, None)


async def test_a_job_that_is_done_says_so_with_its_result(jobs: Any, work: Any) -> None:
    job_id = await jobs.add()
    await jobs.records.run(job_id, work)
    job = await jobs.get(job_id)
    assert (job["status"], job["attempt"], job["progress"], job["leaseUntil"]) == ("succeeded", 1, 100, None)
    assert (job["result"], job["error"]) == ({"made": 1}, None)
    assert job["finishedAt"] >= job["createdAt"]
    assert await jobs.effects() == [1]


async def test_while_it_runs_it_says_so_with_its_progress(jobs: Any) -> None:
    job_id = await jobs.add(count=3)

    async def look(run: JobRun) -> Document:
        assert (run.document["count"], run.attempt) == (3, 1)
        assert await jobs.state(job_id) == ("running", 1)
        await run.progress(40, step="asking")
        await jobs.succeed(run)
        return {"result": {"made": 1}}

    await jobs.records.run(job_id, look)
    assert await told(jobs, job_id, 3) == [
        {"status": "running", "progress": 0},
        {"status": "running", "progress": 40, "step": "asking"},
        {"status": "succeeded", "progress": 100, "result": {"made": 1}},
    ]


async def test_its_record_has_the_progress_at_most_once_a_second(jobs: Any) -> None:
    job_id = await jobs.add()
    noted = []

    async def look(run: JobRun) -> Document:
        for seconds, percent in ((0, 10), (1, 20), (0, 30)):
            run.noted_at -= seconds
            await run.progress(percent)
            noted.append((await jobs.get(job_id))["progress"])
        await jobs.succeed(run)
        return {}

    await jobs.records.run(job_id, look)
    assert noted == [0, 20, 20]
    assert [update["progress"] for update in await told(jobs, job_id, 5)] == [0, 10, 20, 30, 100]


async def test_a_job_may_find_out_whose_it_is(jobs: Any, shard_keys: Any) -> None:
    job_id = await jobs.add(user=None)

    async def find_out(run: JobRun) -> Document:
        await run.records.write(run, {"user": ObjectId()})
        await jobs.succeed(run)
        return {}

    await jobs.records.run(job_id, find_out)
    assert await jobs.state(job_id) == ("succeeded", 1)
    assert await jobs.effects() == [1]
    shard_keys.found.clear()  # a collection of such jobs (letters) is not sharded


async def test_a_second_message_for_a_job_that_is_done_does_nothing(jobs: Any, work: Any) -> None:
    job_id = await jobs.add()
    for _ in range(3):
        await jobs.records.run(job_id, work)
    assert len(work.runs) == 1
    assert await jobs.effects() == [1]


@pytest.mark.parametrize("status", ["failed", "cancelled", "succeeded"])
async def test_a_message_for_a_job_that_has_ended_does_nothing(jobs: Any, work: Any, status: str) -> None:
    job_id = await jobs.add(status=status)
    before = await jobs.get(job_id)
    await jobs.records.run(job_id, work)
    assert await jobs.get(job_id) == before
    assert not work.runs


async def test_a_message_for_a_job_that_is_gone_does_nothing(jobs: Any, work: Any) -> None:
    await jobs.records.run(ObjectId(), work)
    assert not work.runs


async def test_ten_messages_at_once_do_the_job_once(jobs: Any, work: Any) -> None:
    job_id = await jobs.add()
    await asyncio.gather(*(jobs.records.run(job_id, work) for _ in range(10)))
    assert await jobs.effects() == [1]
    assert await jobs.state(job_id) == ("succeeded", 1)


async def test_a_job_that_fails_is_queued_again_and_has_failed_after_three_attempts(jobs: Any) -> None:
    job_id = await jobs.add()
    states = []

    async def fails(_: JobRun) -> Document:
        raise ConnectionError("the model is at secret-host")

    for error in (ConnectionError, ConnectionError, GaveUpError):  # so that the queue tries again, or gives up too
        with pytest.raises(error):
            await jobs.records.run(job_id, fails)
        states.append(await jobs.state(job_id))
    assert states == [("queued", 1), ("queued", 2), ("failed", 3)]
    job = await jobs.get(job_id)
    assert job["error"] == "It did not work in 3 attempts. Please try again later."
    assert (job["leaseUntil"], job["finishedAt"] is None) == (None, False)
    await jobs.records.run(job_id, fails)  # a message more changes nothing
    assert await jobs.state(job_id) == ("failed", 3)


async def test_attempts_that_end_since_a_part_is_down_do_not_count(jobs: Any) -> None:
    job_id = await jobs.add()

    async def s3_is_down(_: JobRun) -> Document:
        raise StorageError("put_object: no route")

    for attempt in range(1, 8):
        with pytest.raises(StorageError):
            await jobs.records.run(job_id, s3_is_down)
        assert await jobs.state(job_id) == ("queued", attempt)
    await _fails_for_good_in(3, jobs, job_id)


async def test_the_patience_with_a_part_that_is_down_has_an_end(jobs: Any) -> None:
    job_id = await jobs.add(createdAt=utc_now() - 2 * OUTAGE_PATIENCE)

    async def sister_is_down(_: JobRun) -> Document:
        raise UnavailableError

    for error in (UnavailableError, UnavailableError, GaveUpError):
        with pytest.raises(error):
            await jobs.records.run(job_id, sister_is_down)
    assert await jobs.state(job_id) == ("failed", 3)


async def _fails_for_good_in(attempts: int, jobs: Any, job_id: ObjectId) -> None:
    async def fails(_: JobRun) -> Document:
        raise ValueError

    for error in [ValueError] * (attempts - 1) + [GaveUpError]:
        with pytest.raises(error):
            await jobs.records.run(job_id, fails)
    assert (await jobs.get(job_id))["status"] == "failed"


async def test_a_failed_job_that_is_opened_again_has_three_new_attempts(jobs: Any, work: Any) -> None:
    job_id = await jobs.add(status="failed", attempt=3, error="It did not work.", progress=40, finishedAt=utc_now())
    await _reopen(jobs, job_id)
    job = await jobs.get(job_id)
    assert (job["status"], job["error"], job["progress"], "finishedAt" in job) == ("queued", None, 0, False)
    await _fails_for_good_in(3, jobs, job_id)
    await _reopen(jobs, job_id)
    await jobs.records.run(job_id, work)
    assert await jobs.state(job_id) == ("succeeded", 7)  # an attempt's number is never used twice
    await _reopen(jobs, job_id)
    assert await jobs.state(job_id) == ("succeeded", 7)


async def _reopen(jobs: Any, job_id: ObjectId) -> None:
    await jobs.mongo.transaction(lambda session: JobRecords.reopen(jobs.collection, job_id, session))


@pytest.mark.parametrize("lease", [None, utc_now() - timedelta(seconds=1)])
async def test_a_job_whose_message_will_not_come_again_is_given_up(jobs: Any, lease: Any) -> None:
    job_id = await jobs.add(status="running" if lease else "queued", leaseUntil=lease)
    await jobs.records.abandon(job_id, "It waited too long.")
    job = await jobs.get(job_id)
    assert (job["status"], job["error"]) == ("failed", "It waited too long.")
    assert await told(jobs, job_id, 1) == [{"status": "failed", "error": "It waited too long."}]


@pytest.mark.parametrize("status", ["running", "succeeded", "cancelled"])
async def test_a_job_that_is_worked_at_or_has_ended_is_not_given_up(jobs: Any, status: str) -> None:
    job_id = await jobs.add(status=status, leaseUntil=utc_now() + timedelta(seconds=30))
    await jobs.records.abandon(job_id, "It waited too long.")
    assert (await jobs.get(job_id))["status"] == status


async def test_a_job_may_succeed_at_its_last_attempt(jobs: Any, work: Any) -> None:
    job_id = await jobs.add(attempt=2)
    await jobs.records.run(job_id, work)
    assert await jobs.state(job_id) == ("succeeded", 3)


async def test_a_permanent_error_fails_at_once_with_its_text_and_is_not_tried_again(jobs: Any) -> None:
    job_id = await jobs.add()

    async def impossible(_: JobRun) -> Document:
        raise PermanentError("The session has been deleted.")

    await jobs.records.run(job_id, impossible)
    job = await jobs.get(job_id)
    assert (job["status"], job["attempt"], job["error"]) == ("failed", 1, "The session has been deleted.")
    assert (await told(jobs, job_id, 2))[1] == {"status": "failed", "error": "The session has been deleted."}


async def test_work_that_raises_after_its_commit_stays_done(jobs: Any) -> None:
    job_id = await jobs.add()

    async def stumbles(run: JobRun) -> Document:
        await jobs.succeed(run)
        raise ConnectionError("on the last step")

    with pytest.raises(ConnectionError):
        await jobs.records.run(job_id, stumbles)
    assert await jobs.state(job_id) == ("succeeded", 1)


async def test_how_jobs_end_is_counted(jobs: Any, work: Any) -> None:
    def ended() -> float:
        return REGISTRY.get_sample_value("intervai_jobs_ended_total", {"kind": "probe", "result": "succeeded"}) or 0

    before = ended()
    job_id = await jobs.add()
    for _ in range(2):
        await jobs.records.run(job_id, work)
    assert ended() == before + 1


def test_what_a_job_is_about_cannot_take_the_place_of_what_holds_its_lease() -> None:
    with pytest.raises(ValueError, match="attempt"):
        JobRecords.new("probe", ObjectId(), attempt=ObjectId())
