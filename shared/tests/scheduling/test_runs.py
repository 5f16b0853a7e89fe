"""The worker's side of a schedule: each time of it once, and in order."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intervai_shared.models import utc_now
from intervai_shared.mongo import Mongo
from intervai_shared.scheduling.runs import ScheduledRuns

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONE = NOON + timedelta(hours=1)


class Work:
    """Counts its runs; fails or waits if told."""

    def __init__(self) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self.error: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self) -> None:
        self.runs += 1
        self.began.set()
        await self.go_on.wait()
        if self.error:
            raise self.error


@pytest.fixture
def runs(mongo: Mongo) -> ScheduledRuns:
    return ScheduledRuns(mongo.db)


@pytest.fixture
def work() -> Work:
    return Work()


async def test_a_time_is_done_once_whoever_sends_it(runs: ScheduledRuns, work: Work, mongo: Mongo) -> None:
    for fence in (1, 1, 2):
        await runs.run("clean", NOON, fence, work)
    await asyncio.gather(*(runs.run("clean", ONE, 2, work) for _ in range(5)))
    assert work.runs == 2
    last: Any = await mongo.db.scheduled_runs.find_one({"_id": "clean"})
    assert (last["slot"], last["state"], last["error"]) == (ONE, "done", None)


async def test_a_leader_of_the_past_has_nothing_done(runs: ScheduledRuns, work: Work) -> None:
    await runs.run("clean", NOON, 7, work)
    await runs.run("clean", ONE, 6, work)
    assert work.runs == 1
    await runs.run("clean", ONE, 7, work)
    assert work.runs == 2


async def test_a_time_before_the_last_is_over(runs: ScheduledRuns, work: Work) -> None:
    await runs.run("clean", ONE, 1, work)
    await runs.run("clean", NOON, 1, work)
    assert work.runs == 1


async def test_what_failed_may_be_tried_again_until_it_is_done(runs: ScheduledRuns, work: Work, mongo: Mongo) -> None:
    work.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await runs.run("clean", NOON, 1, work)
    last: Any = await mongo.db.scheduled_runs.find_one({"_id": "clean"})
    assert (last["state"], last["error"]) == ("failed", "ValueError('no')")
    work.error = None
    await runs.run("clean", NOON, 1, work)
    await runs.run("clean", NOON, 1, work)
    assert work.runs == 2


async def test_a_run_is_not_begun_beside_the_one_before(runs: ScheduledRuns, work: Work) -> None:
    work.go_on.clear()
    first = asyncio.create_task(runs.run("clean", NOON, 1, work))
    await work.began.wait()
    await runs.run("clean", ONE, 1, work)
    assert work.runs == 1
    work.go_on.set()
    await first
    await runs.run("clean", ONE + timedelta(hours=1), 1, work)
    assert work.runs == 2


async def test_a_run_whose_worker_died_is_taken_up_after_its_lease(
    runs: ScheduledRuns, work: Work, mongo: Mongo
) -> None:
    died = {"_id": "clean", "slot": NOON, "fence": 1, "state": "running"}
    await mongo.db.scheduled_runs.insert_one({**died, "leaseUntil": utc_now() + timedelta(seconds=60)})
    await runs.run("clean", NOON, 1, work)
    assert work.runs == 0
    over = {"$set": {"leaseUntil": utc_now() - timedelta(seconds=1)}}
    await mongo.db.scheduled_runs.update_one({"_id": "clean"}, over)
    await runs.run("clean", NOON, 1, work)
    assert work.runs == 1
