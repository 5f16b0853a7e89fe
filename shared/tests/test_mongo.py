"""Transactions and indexes on the real Mongo server."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import ASCENDING, IndexModel, ReadPreference
from pymongo.errors import DuplicateKeyError
from pymongo.read_preferences import Nearest, SecondaryPreferred

from intervai_shared import mongo as mongo_module
from intervai_shared.errors import UNAVAILABLE
from intervai_shared.models import utc_now
from intervai_shared.mongo import Mongo, Session, compact, ensure_indexes
from intervai_shared.settings import ServiceSettings

INDEXES = {"things": [IndexModel([("name", ASCENDING)], unique=True), IndexModel([("at", ASCENDING)])]}


async def test_what_a_transaction_writes_is_there_once_it_is_over(mongo: Mongo) -> None:
    async def body(session: Session) -> str:
        await mongo.db.things.insert_one({"name": "a"}, session=session)
        await mongo.db.others.insert_one({"name": "b"}, session=session)
        assert await mongo.db.things.count_documents({}) == 0  # nobody outside sees half of it
        return "result"

    assert await mongo.transaction(body) == "result"
    assert await mongo.db.things.count_documents({}) == await mongo.db.others.count_documents({}) == 1


async def test_a_transaction_that_raises_leaves_nothing(mongo: Mongo) -> None:
    async def body(session: Session) -> None:
        await mongo.db.things.insert_one({"name": "a"}, session=session)
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        await mongo.transaction(body)
    assert await mongo.db.things.count_documents({}) == 0


async def test_two_transactions_on_one_document_both_happen(mongo: Mongo) -> None:
    await mongo.db.things.insert_one({"_id": "counter", "value": 0})
    tries: list[int] = []

    async def body(session: Session) -> None:
        tries.append(1)
        found = await mongo.db.things.find_one({"_id": "counter"}, session=session)
        assert found
        await asyncio.sleep(0.02)  # so that they meet
        change = {"$set": {"value": found["value"] + 1}}
        await mongo.db.things.update_one({"_id": "counter"}, change, session=session)

    await asyncio.gather(*(mongo.transaction(body) for _ in range(4)))
    counter = await mongo.db.things.find_one({"_id": "counter"})
    assert counter
    assert counter["value"] == 4
    assert len(tries) > 4  # a loser was run again


async def test_indexes_are_made_once_and_again_without_harm(mongo: Mongo) -> None:
    for _ in range(2):
        await ensure_indexes(mongo.db, {**INDEXES, "bare": []})
    names = {index["name"] async for index in await mongo.db.things.list_indexes()}
    assert names == {"_id_", "name_1", "at_1"}
    await mongo.db.things.insert_one({"name": "a"})
    with pytest.raises(DuplicateKeyError):
        await mongo.db.things.insert_one({"name": "a"})


async def test_ten_processes_may_make_indexes_at_the_same_time(settings: ServiceSettings, mongo: Mongo) -> None:
    others = [mongo_module.connect(settings) for _ in range(10)]
    await asyncio.gather(*(ensure_indexes(other.db, INDEXES) for other in others))
    await asyncio.gather(*(other.close() for other in others))
    assert len([index async for index in await mongo.db.things.list_indexes()]) == 3


async def test_times_come_back_as_they_were_in_utc(mongo: Mongo) -> None:
    now = utc_now()
    await mongo.db.things.insert_one({"at": now})
    found = await mongo.db.things.find_one()
    assert found
    assert found["at"] == now
    assert found["at"].utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", SecondaryPreferred(max_staleness=90)),
        ("?readPreference=secondaryPreferred", SecondaryPreferred(max_staleness=90)),
        ("?readPreference=secondaryPreferred&maxStalenessSeconds=120", SecondaryPreferred(max_staleness=120)),
        (
            "?readPreference=nearest&readPreferenceTags=region:eu&readPreferenceTags=",
            Nearest([{"region": "eu"}, {}], max_staleness=90),
        ),
    ],
)
async def test_what_may_be_behind_is_read_from_a_secondary_that_is_not_far_behind(
    settings: ServiceSettings, options: str, expected: object
) -> None:
    uri = SecretStr(settings.mongo_uri.get_secret_value() + options)
    connected = mongo_module.connect(settings.model_copy(update={"mongo_read_uri": uri}))
    assert connected.read_db.read_preference == expected
    assert await connected.read_db.things.find_one() is None  # a set without a secondary answers too
    await connected.close()


async def test_writes_and_ones_own_reads_never_go_to_a_secondary(mongo: Mongo) -> None:
    assert mongo.db.read_preference == ReadPreference.PRIMARY
    assert mongo.db.write_concern.document == {"w": "majority"}


async def test_a_mongo_that_is_down_is_noticed_within_its_time_even_by_a_transaction(settings: ServiceSettings) -> None:
    nowhere = {"mongo_uri": SecretStr("mongodb://127.0.0.1:9"), "mongo_read_uri": None, "mongo_timeout_ms": 100}
    down = mongo_module.connect(settings.model_copy(update=nowhere))

    async def body(session: Session) -> None:
        await down.db.things.insert_one({}, session=session)

    async with asyncio.timeout(20):  # the driver alone would go on for two minutes
        for call in (down.ping(), down.transaction(body)):
            with pytest.raises(UNAVAILABLE):
                await call
    await down.close()


async def test_a_transaction_that_ran_out_of_time_locks_nothing(settings: ServiceSettings, mongo: Mongo) -> None:
    hasty = mongo_module.connect(settings.model_copy(update={"mongo_timeout_ms": 300}))
    await mongo.db.things.insert_one({"_id": "shared", "value": 0})

    async def too_slow(session: Session) -> None:
        await hasty.db.things.update_one({"_id": "shared"}, {"$inc": {"value": 1}}, session=session)
        await asyncio.sleep(0.5)
        await hasty.db.things.find_one({}, session=session)

    with pytest.raises(UNAVAILABLE):
        await hasty.transaction(too_slow)
    await mongo.db.things.update_one({"_id": "shared"}, {"$inc": {"value": 10}})
    assert await mongo.db.things.find_one() == {"_id": "shared", "value": 10}
    assert await hasty.db.things.find_one() == {"_id": "shared", "value": 10}
    await hasty.close()


async def test_transactions_that_mongo_could_not_be_told_of_are_ended_when_it_is_back(
    settings: ServiceSettings, mongo: Mongo, mongo_wire: Any
) -> None:
    far = {"mongo_uri": SecretStr(f"mongodb://127.0.0.1:{mongo_wire.port}/?directConnection=true")}
    cut_off = mongo_module.connect(settings.model_copy(update={**far, "mongo_read_uri": None, "mongo_timeout_ms": 500}))
    await mongo.db.things.insert_one({"_id": "shared", "value": 0})

    async def body(session: Session) -> None:
        await cut_off.db.things.update_one({"_id": "shared"}, {"$inc": {"value": 1}}, session=session)
        await mongo_wire.cut()
        await cut_off.db.things.find_one({}, session=session)

    with pytest.raises(UNAVAILABLE):
        await cut_off.transaction(body)
    await mongo_wire.mend()
    await mongo.db.things.update_one({"_id": "shared"}, {"$inc": {"value": 10}})
    assert await mongo.db.things.find_one() == {"_id": "shared", "value": 10}
    await cut_off.close()


def test_what_was_not_given_is_left_out_of_an_update() -> None:
    assert compact({"a": None, "b": 0, "c": "", "d": False}) == {"b": 0, "c": "", "d": False}
