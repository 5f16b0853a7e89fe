"""A job whose message was lost is sent again; one whose message is anywhere is not."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared.jobs import JobRecords
from intervai_shared.messaging.broker import namespace
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.messaging.sweep import BATCH, FORGOTTEN_SECONDS, JobSweep
from intervai_shared.models import utc_now
from intervai_shared.mongo import Mongo

LONG_AGO = FORGOTTEN_SECONDS + 1


@pytest.fixture
def sweep(mongo: Mongo, redis: Redis, service: str) -> JobSweep:
    lengths, outbox = QueueLengths(redis, mongo.db, service), Outbox(mongo, redis, service)
    return JobSweep(mongo.db.jobs, lengths, outbox, "work", "slow")


async def record(mongo: Mongo, seconds_ago: float = LONG_AGO, **fields: Any) -> ObjectId:
    job = JobRecords.new("work", ObjectId()) | {"updatedAt": utc_now() - timedelta(seconds=seconds_ago)} | fields
    await mongo.db.jobs.insert_one(job)
    return ObjectId(job["_id"])


async def sent(mongo: Mongo) -> list[str]:
    return [message["args"][0] for message in await mongo.db.outbox.find({"name": "work", "queue": "slow"}).to_list()]


async def test_who_waits_or_whose_worker_died_is_sent_again_once(sweep: JobSweep, mongo: Mongo) -> None:
    lost = {await record(mongo), await record(mongo, status="running", attempt=1)}
    await record(mongo, seconds_ago=FORGOTTEN_SECONDS / 2)
    for status in ("succeeded", "failed", "cancelled"):
        await record(mongo, status=status)
    await sweep.sweep()
    assert {ObjectId(job) for job in await sent(mongo)} == lost
    await mongo.db.outbox.update_many({}, {"$set": {"state": "published"}})
    await sweep.sweep()
    assert len(await sent(mongo)) == 2


@pytest.mark.parametrize("queue", ["slow", "slow.DQ"])
async def test_while_a_message_is_in_redis_nothing_is_sent(
    queue: str, sweep: JobSweep, mongo: Mongo, redis: Redis, service: str
) -> None:
    await record(mongo)
    await redis.hset(f"{namespace(service)}:{queue}.msgs", "id", b"{}")
    await sweep.sweep()
    assert await sent(mongo) == []
    await redis.delete(f"{namespace(service)}:{queue}.msgs")
    await sweep.sweep()
    assert len(await sent(mongo)) == 1


async def test_while_the_outbox_has_not_been_sent_nothing_is_added(sweep: JobSweep, mongo: Mongo) -> None:
    await record(mongo)
    await mongo.db.outbox.insert_one({"state": "pending", "queue": "slow", "name": "other"})
    await sweep.sweep()
    assert await sent(mongo) == []


async def test_a_job_that_moves_meanwhile_is_left_alone(sweep: JobSweep, mongo: Mongo) -> None:
    job_id = await record(mongo)
    seen = await mongo.db.jobs.find_one({"_id": job_id})
    assert seen is not None
    await mongo.db.jobs.update_one({"_id": job_id}, {"$set": {"status": "running", "updatedAt": utc_now()}})
    await sweep._send_again(seen)
    assert await sent(mongo) == []


async def test_a_mass_is_sent_in_batches(sweep: JobSweep, mongo: Mongo) -> None:
    for _ in range(BATCH + 1):
        await record(mongo)
    await sweep.sweep()
    assert len(await sent(mongo)) == BATCH
