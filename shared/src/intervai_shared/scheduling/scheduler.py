"""The scheduler: one leader among any number of processes sends a message at each time of each schedule.

The leader holds a lock in Redis. It may lose it without noticing (a pause, a partition), so each of its ticks carries a
fencing token, which grows from leader to leader: workers refuse a tick with a smaller one than they have seen
(Kleppmann, 'How to do distributed locking', 2016). And they do each time of a schedule once, whoever sent it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.asyncio.lock import Lock

from intervai_shared.logs import log
from intervai_shared.messaging import broker
from intervai_shared.messaging.leader import release
from intervai_shared.scheduling.schedules import ACTOR, QUEUE, Schedule, ScheduleBook
from intervai_shared.settings import ProcessSettings

LAST_KEY = "scheduler:last"
#: A dead leader's place is free after this.
LEADER_SECONDS = 10.0
#: Seconds between two looks at the lock and at what the services want.
LOOK_SECONDS = 2.0
#: How far back a time that was missed is made up for: once, however often it was missed.
CATCH_UP = timedelta(days=7)
TICKS = Counter("intervai_schedule_ticks_total", "Times of a schedule that were sent to a worker", ["service", "name"])
LEADS = Gauge("intervai_scheduler_leads", "1 while this process is the leader")


class Scheduler:
    """One process's part."""

    def __init__(self, settings: ProcessSettings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._book = ScheduleBook(redis)
        self._brokers: dict[str, RedisBroker] = {}

    async def run(self) -> None:
        """Leads whenever nobody else does, until cancelled. Raises redis.RedisError; call it again then."""
        lock = self._redis.lock("scheduler:leader", timeout=LEADER_SECONDS)
        while True:
            if await lock.acquire(blocking=False):
                try:
                    await self._lead(lock)
                finally:
                    LEADS.set(0)
                    await release(lock)
            await asyncio.sleep(LOOK_SECONDS)

    async def _lead(self, lock: Lock) -> None:
        # By the clock of Redis: a counter would begin anew when Redis loses its data, and workers would refuse it.
        seconds, microseconds = await self._redis.time()
        fence = seconds * 1000 + microseconds // 1000
        jobs = AsyncIOScheduler(timezone=UTC)
        jobs.start()
        LEADS.set(1)
        log.info("scheduler leads", fence=fence)
        try:
            while True:
                await lock.extend(LEADER_SECONDS, replace_ttl=True)
                await self._follow_book(jobs, lock, fence)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            jobs.shutdown(wait=False)

    async def _follow_book(self, jobs: AsyncIOScheduler, lock: Lock, fence: int) -> None:
        """Adds what is new, takes away what is gone or has other times."""
        wanted = await self._book.read()
        for job in jobs.get_jobs():
            if job.args[0] not in wanted:
                job.remove()
        for schedule in wanted - {job.args[0] for job in jobs.get_jobs()}:
            try:
                trigger = trigger_of(schedule.cron)
            except ValueError as error:
                log.error("schedule cannot be read", schedule=schedule.id, cron=schedule.cron, error=str(error))
                continue
            first = next_time(trigger, await self._last(schedule))
            jobs.add_job(
                self._tick, trigger, [schedule, trigger, lock, fence],
                next_run_time=first, coalesce=True, misfire_grace_time=None, max_instances=1,
            )  # fmt: skip

    async def _tick(self, schedule: Schedule, trigger: CronTrigger, lock: Lock, fence: int) -> None:
        slot = latest_time(trigger, await self._last(schedule), datetime.now(UTC))
        if slot is None or not await lock.owned():
            return
        message: Message[Any] = Message(
            queue_name=QUEUE,
            actor_name=ACTOR,
            args=(schedule.name, slot.isoformat(), fence),
            kwargs={},
            options={},
            message_id=f"{schedule.id}:{slot.isoformat()}",
        )
        await asyncio.to_thread(self._broker(schedule.service).enqueue, message)
        # After the message: who dies in between sends it again, and a worker does it once.
        await self._redis.hset(LAST_KEY, schedule.id, slot.isoformat())
        TICKS.labels(schedule.service, schedule.name).inc()

    async def _last(self, schedule: Schedule) -> datetime:
        """The last time that was sent; now for a schedule that is new here."""
        now = datetime.now(UTC)
        await self._redis.hsetnx(LAST_KEY, schedule.id, now.isoformat())
        stored: Any = await self._redis.hget(LAST_KEY, schedule.id)
        return max(datetime.fromisoformat(stored.decode()), now - CATCH_UP) if stored else now

    def _broker(self, service: str) -> RedisBroker:
        if service not in self._brokers:
            self._brokers[service] = broker.publisher(self._settings, service)
        return self._brokers[service]


def trigger_of(cron: str) -> CronTrigger:
    """Raises ValueError when it has not five or six good fields."""
    fields = cron.split()
    if len(fields) != 6:
        return CronTrigger.from_crontab(cron, timezone=UTC)
    names = ("second", "minute", "hour", "day", "month", "day_of_week")
    return CronTrigger(**dict(zip(names, fields, strict=True)), timezone=UTC)


def next_time(trigger: CronTrigger, after: datetime) -> datetime:
    """The first time after `after`."""
    time: datetime | None = trigger.get_next_fire_time(after, after)
    return time or datetime.max.replace(tzinfo=UTC)


def latest_time(trigger: CronTrigger, after: datetime, now: datetime) -> datetime | None:
    """The last time after `after` that is not in the future."""
    latest, time = None, next_time(trigger, after)
    while time <= now:
        latest, time = time, next_time(trigger, time)
    return latest
