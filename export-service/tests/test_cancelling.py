"""Exports that are deleted, or taken over, while a worker makes them."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.exports.render_pool import RenderPool
from export_service.worker import ExportWorker
from intervai_shared import jobs
from intervai_shared.mongo import Database
from intervai_shared.storage import FileStorage, StorageError
from intervai_shared.storage_upload import Stored

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


async def deleted(api: httpx.AsyncClient, export_id: ObjectId) -> None:
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204


async def and_then(pieces: AsyncIterator[bytes], act: Callable[[], Awaitable[None]]) -> AsyncGenerator[bytes, None]:
    """The whole file, and something happens before S3 has it."""
    async for piece in pieces:
        yield piece
    await act()


async def test_an_export_deleted_while_it_renders_is_never_said_to_be_ready(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    render = RenderPool.render

    async def render_slowly(*args: Any) -> AsyncGenerator[bytes, None]:
        async for piece in render(*args):
            yield piece
        await deleted(api, export_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RenderPool, "render", render_slowly)
        await worker.maker.run(export_id)
    assert bucket.of(export_id) == []
    assert await database.exports.count_documents({}) == 0
    assert await database.events.count_documents({}) == 0


async def test_an_export_deleted_while_its_file_is_on_the_way_leaves_no_file(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    put = FileStorage.put_stream

    async def put_late(storage: FileStorage, key: str, pieces: AsyncIterator[bytes], *about: str) -> Stored:
        return await put(storage, key, and_then(pieces, lambda: deleted(api, export_id)), *about)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileStorage, "put_stream", put_late)
        await worker.maker.run(export_id)
    assert bucket.of(export_id) == []
    assert await database.events.count_documents({}) == 0


async def test_a_run_that_is_stopped_in_the_middle_of_its_upload_leaves_no_file(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.05)
    export_id = await start()
    client = worker.maker._storage._client
    put_object, uploading, uploaded = client.put_object, threading.Event(), threading.Event()

    def put_slowly(**params: Any) -> None:
        uploading.set()
        time.sleep(0.5)  # the lease is looked at ten times meanwhile
        put_object(**params)
        uploaded.set()

    monkeypatch.setattr(client, "put_object", put_slowly)
    running = asyncio.create_task(worker.maker.run(export_id))
    await asyncio.to_thread(uploading.wait)
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204
    await running
    await asyncio.to_thread(uploaded.wait)
    assert bucket.of(export_id) == []


async def test_an_export_deleted_while_s3_loses_its_answer_leaves_no_file(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, bucket: Any
) -> None:
    export_id = await start()
    put = FileStorage.put_stream

    async def put_unheard(storage: FileStorage, key: str, pieces: AsyncIterator[bytes], *about: str) -> Stored:
        await put(storage, key, and_then(pieces, lambda: deleted(api, export_id)), *about)
        raise StorageError("put_object: read timeout")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileStorage, "put_stream", put_unheard)
        with pytest.raises(StorageError):
            await worker.maker.run(export_id)
    assert bucket.of(export_id) == []


async def test_the_file_of_an_export_that_another_worker_took_over_stays(
    start: Start, worker: ExportWorker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    put = FileStorage.put_stream

    async def put_and_lose(*args: Any) -> Stored:
        stored = await put(*args)
        await database.exports.update_one({"_id": export_id}, {"$inc": {"attempt": 1}})
        return stored

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileStorage, "put_stream", put_and_lose)
        await worker.maker.run(export_id)
    assert len(bucket.of(export_id)) == 1
    assert (await database.exports.find_one({"_id": export_id}) or {})["status"] == "running"
    assert await database.events.count_documents({}) == 0


async def test_the_lease_is_kept_while_a_file_renders(
    start: Start, worker: ExportWorker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.05)
    export_id = await start()
    leases = []
    render = RenderPool.render

    async def render_slowly(*args: Any) -> AsyncGenerator[bytes, None]:
        for _ in range(2):
            leases.append((await database.exports.find_one({"_id": export_id}) or {})["leaseUntil"])
            await asyncio.sleep(0.3)
        async for piece in render(*args):
            yield piece

    monkeypatch.setattr(RenderPool, "render", render_slowly)
    await worker.maker.run(export_id)
    assert leases[0] < leases[1]
    assert (await database.exports.find_one({"_id": export_id}) or {})["status"] == "succeeded"
