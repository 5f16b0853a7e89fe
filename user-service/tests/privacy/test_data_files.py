"""The file with all data of a person: made once, shown while it lives, gone after that."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.testing import Person
from user_service.container import UserContainer
from user_service.privacy import data_files as module
from user_service.privacy.data_writer import DataWriter

DATA = "/api/v1/users/me/data"


@pytest.fixture
def container(user_app: tuple[httpx.AsyncClient, UserContainer]) -> UserContainer:
    return user_app[1]


@pytest.fixture
async def ready(database: Database, person: Person, s3: Any) -> AsyncIterator[Document]:
    """A file that has been made."""
    key = f"personal-data/{ObjectId()}.json"
    s3.put(key, b"{}", "application/json")
    file = {"_id": ObjectId(), "user": person.id, "kind": "data-file", "status": "succeeded", "progress": 100,
            "attempt": 1, "key": key, "sizeBytes": 2, "error": None, "createdAt": utc_now(),
            "updatedAt": utc_now()}  # fmt: skip
    await database.data_files.insert_one(file)
    yield file
    s3.remove(key)


async def test_to_look_begins_one_file_and_goes_on_looking_at_it(http: httpx.AsyncClient, database: Database) -> None:
    first, second = await http.get(DATA), await http.get(DATA)
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    assert second.json() == first.json()
    assert await database.outbox.count_documents({"name": "make_data_file", "args": first.json()["id"]}) == 1
    assert "key" not in first.json()
    assert (await http.post(DATA)).json()["id"] == first.json()["id"]


async def test_a_ready_file_is_shown_with_a_url_that_ends(http: httpx.AsyncClient, ready: Document) -> None:
    answer = await http.get(DATA)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["status"], shown["sizeBytes"]) == (str(ready["_id"]), "ready", 2)
    assert ready["key"] in shown["downloadUrl"]
    assert "X-Amz-Expires=3600" in shown["downloadUrl"]
    assert "expiresAt" in shown


async def test_a_new_one_can_be_asked_for_five_times_a_day(start: Any, ready: Document, database: Database) -> None:
    http, _ = await start(RATE_LIMIT_SCALE="1")
    for _ in range(5):
        made = await http.post(DATA)
        assert (made.status_code, made.json()["status"]) == (202, "queued")
        await database.data_files.update_one({"_id": ObjectId(made.json()["id"])}, {"$set": {"status": "failed"}})
    refused = await http.post(DATA)
    assert refused.status_code == 429
    assert await database.data_files.count_documents({}) == 6
    failed = await http.get(DATA)
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")


async def test_the_sweep_removes_what_is_old_and_what_no_record_names(
    container: UserContainer, ready: Document, database: Database, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan, old = f"personal-data/{ObjectId()}.json", f"personal-data/{ObjectId()}.json"
    for key in (orphan, old):
        s3.put(key, b"{}", "application/json")
    week_ago = utc_now() - timedelta(days=7, minutes=1)
    await database.data_files.insert_one({**ready, "_id": ObjectId(), "key": old, "createdAt": week_ago})
    await container.data_files.sweep()
    assert s3.object(old) is None
    assert s3.object(orphan) is not None, "its job may be about to name it"
    assert await database.data_files.distinct("_id") == [ready["_id"]]
    monkeypatch.setattr(module, "YOUNG", timedelta(seconds=-5))
    await container.data_files.sweep()
    assert s3.object(orphan) is None
    assert s3.object(ready["key"]) is not None


async def test_who_is_being_erased_gets_no_new_file(
    container: UserContainer, http: httpx.AsyncClient, database: Database, person: Person
) -> None:
    await database.erasure_records.insert_one({"user": person.id, "receiptHash": "x"})
    assert (await http.get(DATA)).status_code == 409
    assert await database.data_files.count_documents({}) == 0


async def test_erasure_takes_the_file_before_its_record(
    container: UserContainer, ready: Document, database: Database, person: Person, s3: Any
) -> None:
    event = {"type": "user.deleted", "aggregateId": str(ObjectId()), "data": {"user": str(person.id)}}
    await container.resources.mongo.transaction(lambda session: container.erasures.begin(event, session))
    await container.erasures.run(person.id)
    assert s3.object(ready["key"]) is None
    assert await database.data_files.count_documents({}) == 0


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_writer_makes_one_document_of_all_pages(count: int) -> None:
    writer = DataWriter("u1")
    for service in ("a", "b"):
        await writer.begin(service)
        for page in range(count):
            await writer.add([_item("x", 2 * page), _item("x", 2 * page + 1)])
        if count:
            await writer.add([_item("y", 0)])
        await writer.end()
    document = json.loads(gzip.decompress(await writer.close()))
    held = {"x": [{"id": number} for number in range(2 * count)], "y": [{"id": 0}]} if count else {}
    assert (document["user"], document["services"]) == ("u1", {"a": held, "b": held})


def _item(collection: str, number: int) -> Document:
    return {"collection": collection, "document": {"id": number}}
