"""A service that holds things, jobs and a projection of people."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.jobs import SWEEP_INDEX, JobRecords
from intervai_shared.messaging.events.catalogue import Catalogue, Event
from intervai_shared.models import Document, Id
from intervai_shared.mongo import Database
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.privacy.events import UserErased
from intervai_shared.privacy.holdings import Holding, Holdings
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings

HOLDINGS = Holdings(
    (
        Holding("things", shown=("text",)),
        Holding("jobs", jobs=True),
        Holding("profiles", owner=("_id",), shown=("text",)),
        Holding("uses", is_projection=True),
    ),
    impersonal={"keys": "of nobody"},
)
_BY_USER = IndexModel([("user", ASCENDING), ("_id", ASCENDING)])


class ThingMade(Event):
    """Somebody made a thing."""

    TYPE = "thing.made"
    AGGREGATE = "thing"

    user: Id
    text: str


@pytest.fixture
def holdings() -> Holdings:
    return HOLDINGS


@pytest.fixture
async def resources(settings: ServiceSettings) -> AsyncIterator[Resources]:
    async with open_resources(settings, {"things": [_BY_USER], "jobs": [SWEEP_INDEX], "uses": [_BY_USER]}) as opened:
        yield opened


@pytest.fixture
def db(resources: Resources) -> Database:
    return resources.mongo.db


@pytest.fixture
def erasures(resources: Resources) -> Erasures:
    return Erasures(resources, HOLDINGS)


@pytest.fixture
def events() -> Catalogue:
    return Catalogue(ThingMade, UserErased)


@pytest.fixture
def user() -> ObjectId:
    return ObjectId()


@pytest.fixture
def stored(db: Database) -> Callable[..., Awaitable[list[ObjectId]]]:
    """Stores so many things of a person."""

    async def store(user: ObjectId, count: int, collection: str = "things", **fields: Any) -> list[ObjectId]:
        made = [{"_id": ObjectId(), "user": user, "text": "text", "secret": "hidden", **fields} for _ in range(count)]
        await db[collection].insert_many(made)
        return [document["_id"] for document in made]

    return store


@pytest.fixture
def job(db: Database) -> Callable[[ObjectId], Awaitable[ObjectId]]:
    """Stores a job of a person that waits."""

    async def store(user: ObjectId) -> ObjectId:
        record = JobRecords.new("anything", user)
        await db.jobs.insert_one(record)
        return ObjectId(record["_id"])

    return store


@pytest.fixture
def event(resources: Resources) -> Callable[..., Awaitable[ObjectId]]:
    """Writes an event of a thing of a person; the id of the thing."""

    async def add(user: ObjectId, thing: ObjectId | None = None) -> ObjectId:
        aggregate = thing or ObjectId()
        told = ThingMade(user=user, text="told")
        await resources.outbox.transaction(lambda session: resources.outbox.add_event(session, aggregate, told))
        return aggregate

    return add


@pytest.fixture
def begin(resources: Resources, erasures: Erasures) -> Callable[[ObjectId], Awaitable[ObjectId]]:
    """Takes the event of a person's erasure in; the id of the erasure."""

    async def take(user: ObjectId) -> ObjectId:
        erasure = ObjectId()
        wanted: Document = {"type": "user.deleted", "aggregateId": str(erasure), "data": {"user": str(user)}}
        await resources.mongo.transaction(lambda session: erasures.begin(wanted, session))
        return erasure

    return take


@pytest.fixture
def erase(
    begin: Callable[[ObjectId], Awaitable[ObjectId]], erasures: Erasures, db: Database
) -> Callable[[ObjectId], Awaitable[Document]]:
    """Erases a person; what has been counted."""

    async def run(user: ObjectId) -> Document:
        await begin(user)
        await erasures.run(user)
        record = await db.erasures.find_one({"_id": user})
        assert record is not None
        assert record["status"] == "succeeded"
        return dict(record["counts"])

    return run
