"""How many exports a person may have, and how long their files are kept."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.exports.maker import ExportMaker
from export_service.exports.repository import ExportRepository
from export_service.worker import ExportWorker
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.query_checks import QueryChecks

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may have two exports; ask for it before `api`."""
    monkeypatch.setenv("EXPORTS_STORED_LIMIT", "2")


async def test_past_the_limit_a_new_export_is_refused_and_one_that_is_there_is_answered(
    two: None, start_some: Any, start: Start, api: httpx.AsyncClient, session_id: str, database: Database
) -> None:
    first, _ = await start_some(2)
    refused = await api.post(PATH, json={"sessionId": session_id, "format": "json"})
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert refused.json()["detail"] == "You have 2 exports, and a person may have no more. Please delete some first."
    assert await database.exports.count_documents({}) == await database.outbox.count_documents({}) == 2
    assert await start(paper="a4", locale="en") == first
    assert (await api.delete(f"{PATH}/{first}")).status_code == 204
    await start("json")


async def test_exports_without_a_file_do_not_count(
    two: None, start_some: Any, start: Start, database: Database
) -> None:
    fates: list[Document] = [{"status": "failed"}, {"status": "succeeded", "finishedAt": utc_now() - timedelta(days=8)}]
    for export_id, fate in zip(await start_some(2), fates, strict=True):
        await database.exports.update_one({"_id": export_id}, {"$set": fate})
    await start("json")
    ready = await start("pdf")
    await database.exports.update_one({"_id": ready}, {"$set": {"status": "succeeded", "finishedAt": utc_now()}})
    with pytest.raises(AssertionError, match="a person may have no more"):
        await start("csv")


async def test_a_ready_export_expires_after_a_week(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, database: Database
) -> None:
    export_id = await start()
    await maker.run(export_id)
    week = timedelta(days=7)
    for age, status in ((week - timedelta(minutes=1), "ready"), (week, "expired")):
        await database.exports.update_one({"_id": export_id}, {"$set": {"finishedAt": utc_now() - age}})
        one = (await api.get(f"{PATH}/{export_id}")).json()
        assert one["status"] == status
        assert [item["status"] for item in (await api.get(PATH)).json()["items"]] == [status]
        assert (one["downloadUrl"] is None) == (one["expiresAt"] is None) == (status == "expired")
    for way in ("download", "manifest"):
        refused = await api.get(f"{PATH}/{export_id}/{way}")
        assert (refused.status_code, refused.json()["detail"]) == (409, "The export is not ready: expired.")
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204


async def test_the_queries_of_exports(
    check_queries: QueryChecks, worker: ExportWorker, database: Database, person: Any
) -> None:
    mongo, exports, now = worker.resources.mongo, ExportRepository(worker.resources.mongo.db), utc_now()
    own, user = ObjectId(), person.id
    state: Document = {"status": "succeeded", "finishedAt": now, "createdAt": now, "updatedAt": now}
    await database.exports.insert_one({"_id": own, "user": user, "dedupe": "a", "format": "md", **state})
    later = [now.replace(year=2100), ObjectId()]

    async def insert(owner: ObjectId) -> None:
        new = {"_id": ObjectId(), "status": "queued", "dedupe": "b", "createdAt": now}
        await mongo.transaction(lambda transaction: exports.insert(owner, new, transaction))

    queries: Any = {
        "insert": insert,
        "get": lambda u: exports.get(u, own),
        "same": lambda u: exports.same(u, "a"),
        "stored": lambda u: exports.stored(u, now - timedelta(days=1)),
        "page": lambda u: exports.page(u, 5, None),
        "page after": lambda u: exports.page(u, 5, later),
        "with_files": lambda _: exports.with_files([own]),
        "release": lambda u: exports.release(u, own),
        "delete": lambda u: exports.delete(u, own),
    }
    # The sweep of the bucket looks at everybody's.
    await check_queries(ExportRepository, user, queries, silent={"insert"}, ownerless={"with_files"})
