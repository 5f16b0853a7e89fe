"""The sweep of the bucket: files that belong to no export go, all others stay."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.exports import service, sweeper
from export_service.exports.maker import ExportMaker
from export_service.worker import ExportWorker, create_worker
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.scheduling.scheduler import trigger_of


@pytest.fixture
async def prefix(worker: ExportWorker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A part of the bucket that is the test's own: the sweep takes what it does not know for an orphan."""
    own = f"test-{secrets.token_hex(4)}/"
    for module in (service, sweeper):
        monkeypatch.setattr(module, "KEY_PREFIX", own)
    yield own
    async for files in worker.sweeper._storage.files(own):
        for file in files:
            await worker.sweeper._storage.delete(file.key)


async def keys(worker: ExportWorker, prefix: str) -> set[str]:
    return {file.key async for files in worker.sweeper._storage.files(prefix) for file in files}


@pytest.fixture
def put(worker: ExportWorker, prefix: str) -> Callable[[str], Awaitable[str]]:
    """Lays a file into the test's part of the bucket; its key."""

    async def store(name: str) -> str:
        await worker.sweeper._storage.put(prefix + name, b"x", "text/plain", name)
        return prefix + name

    return store


async def test_only_files_without_an_export_are_removed(
    worker: ExportWorker, maker: ExportMaker, database: Database, start_some: Any, put: Any, prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sweeper, "YOUNG", timedelta(0))
    ready, running, cancelled = await start_some(3)
    await maker.run(ready)
    states: Document = {running: "running", cancelled: "cancelled"}
    for export_id, status in states.items():
        await database.exports.update_one({"_id": export_id}, {"$set": {"status": status}})
    folders = {export["_id"]: export["contentHash"] async for export in database.exports.find()}
    kept = {f"{prefix}{folders[ready]}/{ready}.md", await put(f"{folders[running]}/{running}.md")}
    strays = (f"{running}.md", f"{folders[ready]}/{running}.md", f"{folders[running]}/{running}.pdf", "no-id.md")
    for name in (f"{folders[cancelled]}/{cancelled}.md", f"{ObjectId()}.pdf", *strays):
        await put(name)
    for _ in range(2):
        await worker.sweeper.run()
        assert await keys(worker, prefix) == kept


async def test_the_sweep_removes_the_file_of_an_expired_export_and_keeps_its_record(
    start_some: Any, api: httpx.AsyncClient, worker: ExportWorker, database: Database, prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sweeper, "YOUNG", timedelta(0))
    old, fresh = await start_some(2)
    for export_id in (old, fresh):
        await worker.maker.run(export_id)
    await database.exports.update_one({"_id": old}, {"$set": {"finishedAt": utc_now() - timedelta(days=7)}})
    orphans, expired = sweeper.SWEPT._value.get(), sweeper.EXPIRED._value.get()
    for _ in range(2):
        await worker.sweeper.run()
        files = [file.key async for files in worker.sweeper._storage.files(prefix) for file in files]
        assert [str(fresh) in key for key in files] == [True]
    assert (sweeper.SWEPT._value.get() - orphans, sweeper.EXPIRED._value.get() - expired) == (0, 1)
    assert {item["id"] for item in (await api.get("/api/v1/exports")).json()["items"]} == {str(old), str(fresh)}


async def test_a_young_file_is_left_alone(worker: ExportWorker, put: Any, prefix: str) -> None:
    young = await put(f"{ObjectId()}.pdf")
    await worker.sweeper.run()
    assert await keys(worker, prefix) == {young}


async def test_the_worker_sweeps_every_hour(database: Database) -> None:
    schedules = create_worker()._runtime.schedules
    assert schedules.keys() == {"sweep_files", "sweep_erased"}
    assert str(trigger_of(schedules["sweep_files"]).fields[5]) == "*"
