"""Redis and Mongo go away under a working worker and come back: nothing is lost, nothing is done twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from intervai_shared.messaging import broker
from intervai_shared.messaging.outbox import wire
from intervai_shared.messaging.relay import _message
from intervai_shared.models import utc_now
from intervai_shared.settings import ServiceSettings

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def test_jobs_survive_a_redis_that_goes_away_while_they_wait_run_and_are_retried(
    start_worker: Callable[..., Any], over_wire: ServiceSettings, redis_wire: Any, desk: Any, eventually: Eventually
) -> None:
    await asyncio.to_thread(start_worker, over_wire)
    running = await desk.add("wait")
    failing = await desk.add("fail")
    await eventually(lambda: _attempts(desk, running, 1))
    await eventually(lambda: _attempts(desk, failing, 1))
    await redis_wire.cut()
    await desk.let_go_on(running)
    meanwhile = await desk.add("ok")
    await eventually(lambda: _status(desk, running, "succeeded"))  # its work needs no Redis
    await redis_wire.mend()

    async def all_ended() -> bool:
        states = [await desk.status(job_id) for job_id in (running, failing, meanwhile)]
        events = [await desk.done_events(job_id) for job_id in (running, meanwhile)]
        return states == ["succeeded", "failed", "succeeded"] and events == [1, 1]

    await eventually(all_ended)
    assert await desk.attempts(running) == [1]
    assert await desk.attempts(failing) == [1, 2, 3]


async def test_an_event_outlives_more_failures_of_mongo_than_a_message_has_attempts(
    start_worker: Callable[..., Any], settings: ServiceSettings, mongo_wire: Any, desk: Any, eventually: Eventually
) -> None:
    uri = f"mongodb://127.0.0.1:{mongo_wire.port}/?directConnection=true"
    environment = {"MONGO_URI": uri, "MONGO_READ_URI": "", "MONGO_TIMEOUT_MS": "100"}
    worker = await asyncio.to_thread(start_worker, **environment)
    event_id = settings.service
    event = {"_id": event_id, "type": "job.done", "version": 1, "source": settings.service, "aggregateId": "a"}
    sent = wire({**event, "occurredAt": utc_now(), "data": {"job": event_id}})
    await mongo_wire.cut()
    message = _message({"kind": "event", "_id": event_id, "args": [sent], "trace": {}})
    await asyncio.to_thread(broker.publisher(settings, settings.service).enqueue, message)

    async def failed_often() -> bool:
        return bool(worker.log.read_text().count("Failed to process message") > broker.ATTEMPTS)

    await eventually(failed_often)
    await mongo_wire.mend()
    await eventually(lambda: _applied(desk, event_id))


async def _attempts(desk: Any, job_id: Any, count: int) -> bool:
    return len(await desk.attempts(job_id)) >= count


async def _status(desk: Any, job_id: Any, status: str) -> bool:
    return bool(await desk.status(job_id) == status)


async def _applied(desk: Any, event_id: Any) -> bool:
    return bool(await desk.done_events(event_id) == 1)
