"""The scheduler: one leader, every time sent, none twice."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dramatiq import Message
from redis.asyncio import Redis
from redis.exceptions import RedisError

from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.scheduling import scheduler as module
from intervai_shared.scheduling import schedules
from intervai_shared.scheduling.scheduler import Scheduler, latest_time, next_time, trigger_of
from intervai_shared.scheduling.schedules import Schedule, ScheduleBook
from intervai_shared.settings import ServiceSettings

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
EVERY_SECOND = "* * * * * *"


@pytest.fixture(autouse=True)
async def alone(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other test's schedules, and a leader whose death is seen soon."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(module, "LEADER_SECONDS", 1.0)
    await redis.delete("scheduler:schedules", "scheduler:last", "scheduler:leader")


@pytest.fixture
def ticks(redis: Redis, service: str) -> Callable[[], Awaitable[list[Any]]]:
    """The arguments of what the test's service has been sent, the oldest first."""

    async def read() -> list[Any]:
        stored = await redis.hvals("{intervai-" + service + "}:scheduled.msgs")
        return sorted(Message.decode(data).args for data in stored)

    return read


async def _has(ticks: Callable[[], Awaitable[list[Any]]], count: int) -> bool:
    return len(await ticks()) >= count


async def _stop(task: asyncio.Task[None]) -> None:
    while not task.done():  # see tasks.keep_running
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)
    with suppress(asyncio.CancelledError):
        await task


async def test_two_schedulers_send_each_time_once(
    settings: ServiceSettings, redis: Redis, service: str, ticks: Any, eventually: Eventually
) -> None:
    await ScheduleBook(redis).tell(service, {"clean": EVERY_SECOND})
    running = [asyncio.create_task(Scheduler(settings, redis).run()) for _ in range(2)]
    await eventually(lambda: _has(ticks, 3))
    for task in running:
        await _stop(task)
    names, slots, fences = zip(*await ticks(), strict=True)
    assert set(names) == {"clean"}
    assert len(set(slots)) == len(slots)
    assert len(set(fences)) == 1


async def test_another_takes_over_with_a_larger_fence_and_makes_up_for_what_was_missed(
    settings: ServiceSettings, redis: Redis, service: str, ticks: Any, eventually: Eventually
) -> None:
    await ScheduleBook(redis).tell(service, {"clean": EVERY_SECOND, "yearly": "0 0 1 1 *"})
    missed = datetime.now(UTC) - timedelta(days=6)
    await redis.hset("scheduler:last", f"{service}:hourly", missed.isoformat())
    first = asyncio.create_task(Scheduler(settings, redis).run())
    await eventually(lambda: _has(ticks, 1))
    await _stop(first)
    sent = len(await ticks())
    await ScheduleBook(redis).tell(service, {"clean": EVERY_SECOND, "hourly": "0 * * * *"})
    second = asyncio.create_task(Scheduler(settings, redis).run())
    await eventually(lambda: _has(ticks, sent + 3))
    await _stop(second)
    by_name = {name: [args[1:] for args in await ticks() if args[0] == name] for name in ("clean", "hourly", "yearly")}
    fences = [fence for _, fence in by_name["clean"]]
    assert fences == sorted(fences)
    assert len(set(fences)) == 2
    assert len({slot for slot, _ in by_name["clean"]}) == len(by_name["clean"])
    assert len(by_name["hourly"]) == 1, "six days of it are made up for once"
    assert not by_name["yearly"]


async def test_a_leader_that_has_lost_its_lock_sends_nothing_more(
    settings: ServiceSettings, redis: Redis, service: str, ticks: Any, eventually: Eventually
) -> None:
    await ScheduleBook(redis).tell(service, {"clean": EVERY_SECOND})
    task = asyncio.create_task(Scheduler(settings, redis).run())
    await eventually(lambda: _has(ticks, 1))
    await redis.set("scheduler:leader", "another")
    with pytest.raises(RedisError):
        await task
    sent = len(await ticks())
    await asyncio.sleep(1.5)
    assert len(await ticks()) == sent
    assert await redis.get("scheduler:leader") == b"another"


async def test_a_service_whose_workers_are_gone_is_sent_nothing(redis: Redis, service: str, clock_of: Any) -> None:
    book, clock = ScheduleBook(redis), clock_of(schedules)
    await book.tell(service, {"clean": "0 3 * * *"})
    assert await book.read() == {Schedule(service, "clean", "0 3 * * *")}
    clock.ahead = schedules.FORGET_SECONDS + 1
    assert await book.read() == set()


async def test_a_schedule_that_cannot_be_read_holds_up_no_other(
    settings: ServiceSettings, redis: Redis, service: str, ticks: Any, eventually: Eventually
) -> None:
    await ScheduleBook(redis).tell(service, {"broken": "every day", "clean": EVERY_SECOND})
    task = asyncio.create_task(Scheduler(settings, redis).run())
    await eventually(lambda: _has(ticks, 1))
    await _stop(task)


def test_the_times_of_a_schedule_are_in_utc_and_none_is_passed_over() -> None:
    daily, after = trigger_of("30 3 * * *"), datetime(2026, 3, 29, 3, 30, tzinfo=UTC)
    assert next_time(daily, after) == after + timedelta(days=1)
    assert latest_time(daily, after, after + timedelta(hours=23)) is None
    assert latest_time(daily, after, after + timedelta(days=3, hours=1)) == after + timedelta(days=3)
    assert next_time(trigger_of("*/10 * * * * *"), after) == after + timedelta(seconds=10)
    with pytest.raises(ValueError, match="Wrong number of fields"):
        trigger_of("daily")


@pytest.fixture
def process(settings: ServiceSettings, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """A scheduler, its port and its log."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = {"REDIS_URL": settings.redis_url.get_secret_value(), "PORT": str(port), "PATH": os.environ["PATH"]}
    log = tmp_path / "scheduler.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "intervai_shared.schedule"]
        running = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    yield running, port, log
    running.kill()
    running.wait()


async def test_the_process_needs_only_redis_leads_and_ends_in_order(
    process: Any, redis: Redis, service: str, ticks: Any, eventually: Eventually
) -> None:
    running, port, log = process
    await ScheduleBook(redis).tell(service, {"clean": EVERY_SECOND})
    await eventually(lambda: _has(ticks, 1))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/health/ready")).json()["checks"] == {"redis": "ok"}
        assert "intervai_scheduler_leads 1.0" in (await client.get("/metrics")).text
    running.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.wait, 20) == 0, log.read_text()
    assert await redis.get("scheduler:leader") is None


def test_a_tick_goes_to_the_actor_that_every_worker_with_schedules_has() -> None:
    assert ServiceWorker.run_scheduled.__name__ == schedules.ACTOR
