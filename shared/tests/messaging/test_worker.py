"""A whole worker, as a process of its own: relay, actors and events on the real queue."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared import context
from intervai_shared.jobs import JobRecords
from intervai_shared.scheduling.scheduler import Scheduler
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
StartWorker = Callable[..., Any]


async def test_jobs_are_done_with_their_events_and_failures_end_after_three_attempts(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    start_worker()
    context.request_id.set("request-0123456789")
    good, bad, never = [await desk.add(how) for how in ("ok", "fail", "impossible")]
    too_long = await desk.add("", actor="overrun")

    async def ended() -> bool:
        states = [await desk.status(job_id) for job_id in (good, bad, never, too_long)]
        return states == ["succeeded", "failed", "failed", "failed"] and await desk.done_events(good) == 1

    await eventually(ended)
    assert await desk.attempts(good) == [1]
    assert await desk.attempts(bad) == [1, 2, 3]
    assert await desk.attempts(never) == [1]
    assert await desk.attempts(too_long) == [1, 2, 3]
    assert (await desk.db.runs.find_one({"job": good}))["requestId"] == "request-0123456789"


async def test_as_many_jobs_run_at_a_time_as_the_worker_has_threads(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    start_worker()
    jobs = [await desk.add("wait") for _ in range(10)]

    async def eight_run() -> bool:
        return bool(await desk.db.runs.count_documents({}) == 8)

    async def all_done() -> bool:
        return bool(await desk.db.jobs.count_documents({"status": "succeeded"}) == 10)

    await eventually(eight_run)
    for job_id in jobs:
        await desk.let_go_on(job_id)
    await eventually(all_done)


async def test_what_is_in_bulk_leaves_half_of_the_worker_to_the_others(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    start_worker()
    in_bulk = [await desk.add("wait", bulk=True) for _ in range(12)]
    await eventually(lambda: _runs(desk, 4))
    others = [await desk.add("ok") for _ in range(6)]
    for job_id in others:
        await eventually(lambda job_id=job_id: _has_status(desk, job_id, "succeeded"))
    assert await _runs(desk, 4 + 6)
    for job_id in in_bulk:
        await desk.let_go_on(job_id)
    await eventually(lambda: _runs(desk, 12 + 6))


async def test_what_is_in_bulk_lets_the_others_that_wait_too_go_first(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    for _ in range(30):
        await desk.add("ok", bulk=True)
    for _ in range(8):
        await desk.add("ok")
    assert await desk.db.outbox.count_documents({"state": "pending"}) == 38
    start_worker()
    await eventually(lambda: _runs(desk, 38))
    bulk = {entry["args"][0] async for entry in desk.db.outbox.find({"queue": "jobs.bulk"})}
    order = [str(run["job"]) in bulk async for run in desk.db.runs.find().sort("_id")]
    assert sum(order[-15:]) == 15  # the others were sent last of all


async def _runs(desk: Any, count: int) -> bool:
    return bool(await desk.db.runs.count_documents({}) == count)


async def test_what_is_scheduled_is_done_at_each_time_by_one_of_two_workers(
    start_worker: StartWorker, settings: ServiceSettings, redis: Redis, desk: Any, eventually: Eventually
) -> None:
    await redis.delete("scheduler:schedules", "scheduler:last", "scheduler:leader")
    for _ in range(2):
        start_worker()

    async def three_times() -> bool:
        return bool(await desk.db.ticks.count_documents({}) >= 3)

    async with keep_running("scheduler", Scheduler(settings, redis).run):
        await eventually(three_times)

    async def is_done() -> bool:  # that it is, is noted after the tick itself
        run = await desk.db.scheduled_runs.find_one({"_id": "count_tick"})
        return bool(run["state"] == "done")

    await eventually(is_done)
    last = await desk.db.scheduled_runs.find_one({"_id": "count_tick"})
    sent = datetime.fromisoformat((await redis.hget("scheduler:last", f"{settings.service}:count_tick")).decode())
    assert last["state"] == "done"
    assert last["slot"] <= sent


async def test_a_job_whose_message_was_lost_is_done_all_the_same(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    lost = JobRecords.new("work", ObjectId(), how="ok")
    await desk.db.jobs.insert_one(lost)
    start_worker()

    async def done() -> bool:
        return bool(await desk.status(lost["_id"]) == "succeeded")

    await eventually(done)
    assert await desk.attempts(lost["_id"]) == [1]


async def test_on_sigterm_it_takes_no_more_but_what_runs_is_finished(
    start_worker: StartWorker, desk: Any, eventually: Eventually, queued: Callable[..., Any]
) -> None:
    worker = start_worker()
    job_id = await desk.add("wait")
    await eventually(lambda: _has_attempts(desk, job_id, [1]))
    worker.process.send_signal(signal.SIGTERM)

    async def draining() -> bool:
        return bool((await asyncio.to_thread(worker.health))[0] == 503)

    await eventually(draining)
    await asyncio.sleep(0.3)  # a thread that was just then asking for a message may still take one
    later = await desk.add("ok")
    assert worker.process.poll() is None
    await desk.let_go_on(job_id)
    assert await asyncio.to_thread(worker.process.wait, 20) == 0
    assert await desk.status(job_id) == "succeeded"
    assert await desk.attempts(job_id) == [1]
    assert await desk.status(later) == "queued"
    handed_back = [message.args for message in await queued("jobs")]
    assert handed_back == [(str(later),)] or await desk.db.outbox.count_documents({"state": "pending"}) == 1


async def test_a_job_whose_worker_is_killed_is_done_by_another(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    first = start_worker()
    job_id = await desk.add("wait")
    await eventually(lambda: _has_attempts(desk, job_id, [1]))
    start_worker()
    first.process.kill()
    await desk.let_go_on(job_id)
    await eventually(lambda: _has_status(desk, job_id, "succeeded"))
    assert await desk.attempts(job_id) == [1, 2]


async def test_a_worker_that_cannot_open_its_parts_ends_before_it_takes_a_message(
    start_worker: StartWorker,
) -> None:
    broken = start_worker(ready=False, MONGO_URI="http://no-mongo.invalid/")
    assert await asyncio.to_thread(broken.process.wait, 20) == 1, broken.log.read_text()
    assert "cannot start" in broken.log.read_text()
    assert "worker started" not in broken.log.read_text()


async def _has_attempts(desk: Any, job_id: Any, attempts: list[int]) -> bool:
    return bool(await desk.attempts(job_id) == attempts)


async def _has_status(desk: Any, job_id: Any, status: str) -> bool:
    return bool(await desk.status(job_id) == status)
