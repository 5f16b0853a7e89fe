"""What is declared of a person goes, and nothing of anybody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.job_lease import LostLeaseError
from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.privacy.tally import BATCH
from intervai_shared.resources import Resources

Call = Callable[..., Awaitable[Any]]


async def test_documents_of_the_person_go_and_those_of_others_stay(
    db: Database, erase: Call, stored: Call, user: ObjectId
) -> None:
    other = ObjectId()
    await stored(user, 2 * BATCH + 1)
    await stored(other, 3)
    await db.profiles.insert_many([{"_id": user}, {"_id": other}])
    await db.idempotency_keys.insert_many([{"_id": "a", "user": user}, {"_id": "b", "user": other}])
    assert await erase(user) == {"things": 2 * BATCH + 1, "profiles": 1, "idempotency_keys": 1}
    assert await db.things.count_documents({"user": other}) == 3
    assert await db.profiles.distinct("_id") == [other]
    assert await db.idempotency_keys.distinct("_id") == ["b"]
    assert await db.things.count_documents({"user": user}) == 0


async def test_who_holds_nothing_is_erased_too(erase: Call, user: ObjectId) -> None:
    assert await erase(user) == {}


async def test_every_generation_of_a_projection_is_rid_of_the_person(
    db: Database, erase: Call, stored: Call, user: ObjectId
) -> None:
    for collection in ("uses", "uses.6b05a0870fd2b0bd29f9825c", "uses_of_another_kind"):
        await stored(user, 2, collection)
    assert await erase(user) == {"uses": 4}
    assert await db["uses_of_another_kind"].count_documents({}) == 2


async def test_events_go_with_the_messages_that_carry_them_and_others_keep_their_numbers(
    db: Database, erase: Call, event: Call, user: ObjectId
) -> None:
    other, thing = ObjectId(), ObjectId()
    await event(user)
    await event(user, user)
    for _ in range(3):
        await event(other, thing)
    counts = await erase(user)
    assert (counts["events"], counts["outbox"]) == (2, 2)
    kept = await db.events.find({"type": "thing.made"}).sort("_id", 1).to_list()
    assert [(one["aggregateId"], one["sequence"]) for one in kept] == [(thing, 1), (thing, 2), (thing, 3)]
    messages = {message["_id"] for message in await db.outbox.find({"name": "thing.made"}).to_list()}
    assert messages == {one["_id"] for one in kept}
    await event(other, thing)
    assert await db.events.count_documents({"aggregateId": thing, "sequence": 4}) == 1


async def test_dead_letters_about_the_person_go_whatever_names_them(
    db: Database, erase: Call, job: Call, user: ObjectId
) -> None:
    other = ObjectId()
    about = [
        [str(await job(user))],
        [str(user)],
        [{"aggregateId": str(user), "data": {}}],
        [{"aggregateId": str(ObjectId()), "data": {"user": str(user)}}],
    ]
    others = [[str(await job(other))], [str(other)], [{"aggregateId": str(other), "data": {"user": str(other)}}]]
    await db.dead_letters.insert_many([{"args": args} for args in about + others])
    assert (await erase(user))["dead_letters"] == len(about)
    assert [letter["args"] for letter in await db.dead_letters.find().to_list()] == others


async def test_live_updates_of_the_persons_jobs_go(
    resources: Resources, erase: Call, job: Call, user: ObjectId
) -> None:
    own, foreign = await job(user), await job(ObjectId())
    for channel in (f"job:{own}", f"job:{foreign}", f"user:{user}"):
        await resources.live.publish(channel, {"text": "told"})
    await erase(user)
    ids = [await resources.live.latest_id(f"job:{own}"), await resources.live.latest_id(f"user:{user}")]
    assert ids == ["0-0", "0-0"]
    assert await resources.live.latest_id(f"job:{foreign}") != "0-0"


async def test_a_job_that_runs_loses_its_lease_and_writes_nothing_more(
    resources: Resources, db: Database, erase: Call, job: Call, user: ObjectId
) -> None:
    records, began, may_go_on = JobRecords(db.jobs, resources.live), asyncio.Event(), asyncio.Event()
    lost: list[BaseException] = []

    async def work(run: JobRun) -> dict[str, Any]:
        began.set()
        await may_go_on.wait()
        run.noted_at = 0
        try:
            await run.progress(50)
        except LostLeaseError as error:
            lost.append(error)
            raise
        return {}

    running = asyncio.create_task(records.run(await job(user), work))
    await began.wait()
    assert (await erase(user))["jobs"] == 1
    may_go_on.set()
    await running
    assert len(lost) == 1
    assert await db.jobs.count_documents({}) == 0


async def test_a_run_that_has_lost_its_lease_deletes_nothing_more(
    db: Database, begin: Call, erasures: Erasures, stored: Call, user: ObjectId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(user)
    await stored(user, 5)
    cancel_jobs = erasures._eraser._cancel_jobs

    async def as_another_takes_over(person: ObjectId) -> None:
        await cancel_jobs(person)
        taken = {"attempt": 2, "leaseUntil": utc_now(), "status": "running"}
        await db.erasures.update_one({"_id": person}, {"$set": taken})

    monkeypatch.setattr(erasures._eraser, "_cancel_jobs", as_another_takes_over)
    await erasures.run(user)
    assert await db.things.count_documents({"user": user}) == 5
    monkeypatch.undo()
    await erasures.run(user)
    record = await db.erasures.find_one({"_id": user})
    assert record is not None
    assert (record["status"], record["counts"]) == ("succeeded", {"things": 5})
