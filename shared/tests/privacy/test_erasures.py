"""An erasure is begun once, reported once, never given up, and nobody who is erased comes back."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from bson import ObjectId

from intervai_shared.messaging.events.catalogue import wire
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from intervai_shared.privacy.erasures import STRAGGLERS, Erasures
from intervai_shared.resources import Resources

Call = Callable[..., Awaitable[Any]]


async def test_an_erasure_is_begun_once(db: Database, begin: Call, user: ObjectId) -> None:
    first = await begin(user)
    await begin(user)
    records = await db.erasures.find().to_list()
    assert [(record["_id"], record["erasure"], record["status"]) for record in records] == [(user, first, "queued")]
    messages = await db.outbox.find({"kind": "job"}).to_list()
    assert [(message["name"], message["args"]) for message in messages] == [("erase_person", [str(user)])]


async def test_its_end_is_reported_once_with_what_was_counted(
    resources: Resources, db: Database, begin: Call, erasures: Erasures, stored: Call, user: ObjectId
) -> None:
    erasure = await begin(user)
    await stored(user, 7)
    await erasures.run(user)
    await erasures.run(user)
    [report] = await db.events.find({"type": "user.erased"}).to_list()
    service = resources.settings.service
    assert report["data"] == {"erasureId": str(erasure), "service": service, "counts": {"things": 7}}
    assert str(user) not in str(wire(report))
    assert await db.outbox.count_documents({"name": "user.erased"}) == 1


async def test_what_comes_in_late_is_erased_for_two_days_and_counted_apart(
    db: Database, erase: Call, erasures: Erasures, stored: Call, user: ObjectId
) -> None:
    long_ago = ObjectId()
    await erase(user)
    await erase(long_ago)
    gone = utc_now() - STRAGGLERS - timedelta(minutes=1)
    await db.erasures.update_one({"_id": long_ago}, {"$set": {"createdAt": gone}})
    await stored(user, 3)
    await stored(long_ago, 1)
    await erasures.sweep()
    assert await db.things.distinct("user") == [long_ago]
    record = await db.erasures.find_one({"_id": user})
    assert record is not None
    assert (record["counts"], record["late"]) == ({}, {"things": 3})
    assert await db.events.count_documents({"type": "user.erased"}) == 2


async def test_an_erasure_that_has_failed_is_begun_anew_however_old_it_is(
    db: Database, begin: Call, erasures: Erasures, stored: Call, user: ObjectId
) -> None:
    await begin(user)
    await stored(user, 1)
    failed = {"status": "failed", "attempt": 3, "createdAt": utc_now() - 10 * STRAGGLERS}
    await db.erasures.update_one({"_id": user}, {"$set": failed})
    await erasures.sweep()
    assert await db.outbox.count_documents({"name": "erase_person", "args": str(user)}) == 2
    await erasures.run(user)
    record = await db.erasures.find_one({"_id": user})
    assert record is not None
    assert (record["status"], record["counts"]) == ("succeeded", {"things": 1})


async def test_events_of_an_erased_person_that_arrive_late_are_passed_over(
    resources: Resources, db: Database, begin: Call, user: ObjectId
) -> None:
    other = ObjectId()

    async def apply(event: Document, session: Session) -> None:
        of = event["data"].get("user", event["aggregateId"])
        await db.applied.insert_one({"of": of}, session=session)  # in the transaction, which may be begun again

    inbox = Inbox(db, resources.outbox, {"user.registered": apply, "thing.made": apply})
    await begin(user)
    for person in (user, other):
        await inbox.apply(_event("user.registered", "user", person, {}))
        await inbox.apply(_event("thing.made", "thing", ObjectId(), {"user": str(person)}))
    assert [entry["of"] for entry in await db.applied.find().to_list()] == [str(other), str(other)]
    assert await db.inbox.count_documents({}) == 4


def _event(kind: str, aggregate: str, aggregate_id: ObjectId, data: Document) -> Document:
    told = {"id": str(ObjectId()), "type": kind, "version": 1, "source": "any", "aggregate": aggregate}
    return {**told, "aggregateId": str(aggregate_id), "sequence": 1, "data": data}
