"""A large file on its way from its process into S3: what stops it leaves nothing of it."""

import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from botocore.retries.standard import ExponentialBackoff
from bson import ObjectId

from export_service.exports.render_pool import RenderPool
from export_service.worker import ExportWorker
from intervai_shared import storage_upload
from intervai_shared.jobs import OUTAGE_PATIENCE
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database
from intervai_shared.storage import StorageError

PATH = "/api/v1/exports"
PART_BYTES = 5 << 20
PIECE_BYTES = 256 << 10
Start = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
def large(worker: ExportWorker, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file of two parts and a half, which comes in place of any other; its parts are as small as S3 takes them."""
    file = secrets.token_bytes(PART_BYTES * 5 // 2)

    async def render(*_: Any) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(file), PIECE_BYTES):
            yield file[start : start + PIECE_BYTES]

    monkeypatch.setattr(storage_upload, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(worker.maker._planner._pool, "render", render)
    return file


@pytest.fixture
def at_part(worker: ExportWorker) -> Callable[[Callable[[], None]], None]:
    """Does something, in the thread of the upload, when a second or later part has arrived."""

    def set_up(act: Callable[[], None]) -> None:
        arrived = 0

        def count(**_: Any) -> None:
            nonlocal arrived
            arrived += 1
            if arrived > 1:
                act()

        worker.maker._storage._client.meta.events.register("after-call.s3.UploadPart", count)

    return set_up


def unfinished(worker: ExportWorker, export_id: ObjectId) -> list[str]:
    found = worker.maker._storage._client.list_multipart_uploads(Bucket=os.environ["S3_BUCKET"])
    return [upload["UploadId"] for upload in found.get("Uploads", []) if str(export_id) in upload["Key"]]


async def test_a_large_file_arrives_whole(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, large: bytes, bucket: Any
) -> None:
    export_id = await start()
    await worker.maker.run(export_id)
    (stored,) = bucket.of(export_id)
    assert stored.body == large
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["sizeBytes"]) == ("ready", len(large))
    assert stored.head["ETag"].endswith('-3"')  # of three parts


async def test_s3_that_fails_in_the_middle_is_tried_again_until_it_takes_the_file(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, large: bytes, at_part: Any, bucket: Any
) -> None:
    export_id = await start()
    is_full = True

    def fail() -> None:
        if is_full:
            raise StorageError("upload_part: no space left on the device", 500)

    at_part(fail)
    for _ in range(2):
        with pytest.raises(StorageError):
            await worker.maker.run(export_id)
        assert (await api.get(f"{PATH}/{export_id}")).json()["status"] == "queued"
        assert (bucket.of(export_id), unfinished(worker, export_id)) == ([], [])
    is_full = False
    await worker.maker.run(export_id)
    assert bucket.of(export_id)[0].body == large


async def test_s3_that_goes_on_failing_ends_the_export_with_a_reason_and_nothing_stored(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, large: bytes, database: Database, bucket: Any,
    lost_s3: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    export_id = await start()
    await database.exports.update_one({"_id": export_id}, {"$set": {"createdAt": utc_now() - 2 * OUTAGE_PATIENCE}})
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with lost_s3(worker.maker._storage):
        for _ in range(3):
            with pytest.raises(Exception, match="create_multipart_upload"):
                await worker.maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["sha256"]) == ("failed", None)
    assert "try again later" in export["error"]
    assert (bucket.of(export_id), unfinished(worker, export_id)) == ([], [])


async def test_an_export_deleted_in_the_middle_of_its_file_leaves_no_part(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, large: bytes, bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    export_id = await start()
    render = worker.maker._planner._pool.render
    begun: list[str] = []

    async def render_and_delete(*args: Any) -> AsyncGenerator[bytes, None]:
        size = 0
        async for piece in render(*args):
            yield piece
            size += len(piece)
            if size > PART_BYTES and not begun:
                begun.extend(unfinished(worker, export_id))
                assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204

    monkeypatch.setattr(worker.maker._planner._pool, "render", render_and_delete)
    await worker.maker.run(export_id)
    assert len(begun) == 1
    assert (bucket.of(export_id), unfinished(worker, export_id)) == ([], [])


@pytest.mark.parametrize("title", ["want too much", "be killed"])
async def test_a_file_that_wants_too_much_memory_is_not_tried_again(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, faulty_command: tuple[str, ...], content: Any,
    monkeypatch: pytest.MonkeyPatch, title: str,
) -> None:  # fmt: skip
    narrow = RenderPool(1, 20, faulty_command, memory_mb=384)

    def render(kind: str, _: Any) -> AsyncGenerator[bytes, None]:
        return narrow.render(kind, content(title=title))

    monkeypatch.setattr(worker.maker._planner._pool, "render", render)
    export_id = await start()
    await worker.maker.run(export_id)
    await narrow.close()
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["error"]) == ("failed", "The session is too large for such a file.")
