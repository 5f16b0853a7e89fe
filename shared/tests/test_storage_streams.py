"""Files that go to the real S3 as they come: whole or not at all, and never whole in memory."""

import asyncio
import hashlib
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from botocore.retries.standard import ExponentialBackoff

from intervai_shared import storage_upload
from intervai_shared.settings import ServiceSettings
from intervai_shared.storage import FileStorage, StorageError, StorageSettings
from intervai_shared.storage_upload import PART_BYTES, to_its_end

CHUNK_BYTES = 256 << 10
ABOUT = ("application/pdf", '面接 "x"\r\n.pdf')


@pytest.fixture
def storage(settings: ServiceSettings) -> FileStorage:
    return FileStorage(StorageSettings(service=settings.service))


@pytest.fixture
async def key(storage: FileStorage) -> AsyncIterator[str]:
    name = f"tests/{secrets.token_hex(8)}.pdf"
    yield name
    await storage.delete(name)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """As many bytes as S3 asks of a part at least."""
    monkeypatch.setattr(storage_upload, "PART_BYTES", 5 << 20)
    return 5 << 20


@pytest.fixture
def calls(storage: FileStorage) -> list[tuple[str, dict[str, Any]]]:
    """What is asked of S3, from here on: operations with their parameters."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, dict(params)))

    storage._client.meta.events.register("provide-client-params.s3", note)
    return seen


async def chunks_of(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


async def broken_after(content: bytes) -> AsyncIterator[bytes]:
    async for chunk in chunks_of(content):
        yield chunk
    raise ValueError("the renderer died")


def unfinished(storage: FileStorage, key: str) -> list[str]:
    """Uploads of the file that have been begun and neither completed nor aborted."""
    found = storage._client.list_multipart_uploads(Bucket=os.environ["S3_BUCKET"])
    return [upload["UploadId"] for upload in found.get("Uploads", []) if upload["Key"] == key]


async def downloaded(storage: FileStorage, key: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.get(storage.signed_url(key, 60)[0])


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, PART_BYTES])
async def test_what_fits_into_a_part_is_put_at_once(
    storage: FileStorage, key: str, calls: list[tuple[str, dict[str, Any]]], size: int
) -> None:
    content = secrets.token_bytes(size)
    stored = await storage.put_stream(key, chunks_of(content), *ABOUT)
    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert [operation for operation, _ in calls] == ["PutObject"]
    assert (await downloaded(storage, key)).content == content


async def test_more_than_a_part_goes_in_parts_with_at_most_two_of_them_in_memory(
    storage: FileStorage, key: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    content = secrets.token_bytes(2 * PART_BYTES + 1)
    given, most = 0, 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal given, most
        async for chunk in chunks_of(content):
            given += len(chunk)
            sent = sum(len(params["Body"]) for operation, params in calls if operation == "UploadPart")
            most = max(most, given - sent)
            yield chunk

    stored = await storage.put_stream(key, counted(), *ABOUT)
    assert most <= PART_BYTES + CHUNK_BYTES
    assert [len(params["Body"]) for operation, params in calls if operation == "UploadPart"] == [
        PART_BYTES,
        PART_BYTES,
        1,
    ]
    assert (stored.size_bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    answer = await downloaded(storage, key)
    assert answer.content == content
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%E9%9D%A2%E6%8E%A5%20%22x%22%0D%0A.pdf")
    assert unfinished(storage, key) == []


@pytest.mark.parametrize("parts", [0.5, 2.5])
async def test_when_the_file_breaks_off_what_was_there_stays_and_no_part_does(
    storage: FileStorage, key: str, small_parts: int, parts: float
) -> None:
    await storage.put_stream(key, chunks_of(b"before"), *ABOUT)
    with pytest.raises(ValueError, match="the renderer died"):
        await storage.put_stream(key, broken_after(secrets.token_bytes(int(parts * small_parts))), *ABOUT)
    assert (await downloaded(storage, key)).content == b"before"
    assert unfinished(storage, key) == []


@pytest.fixture
def refuse(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """S3 refuses an operation from now on, as it does when its disk is full."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)

    def set_up(operation: str) -> None:
        def fail(request: Any, **_: Any) -> None:
            # The last address that is asked for what is not there.
            request.url = request.url.replace(f"/{os.environ['S3_BUCKET']}/", "/no-such-bucket/")

        storage._client.meta.events.register(f"before-send.s3.{operation}", fail)

    return set_up


@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
async def test_when_s3_refuses_there_is_no_half_file(
    storage: FileStorage, key: str, small_parts: int, refuse: Callable[[str], None], operation: str
) -> None:
    refuse(operation)
    size = 1 if operation == "PutObject" else 2 * small_parts
    with pytest.raises(StorageError):
        await storage.put_stream(key, chunks_of(secrets.token_bytes(size)), *ABOUT)
    assert await storage.head(key) is None
    assert unfinished(storage, key) == []


async def test_when_nothing_can_be_aborted_either_the_first_error_is_told(
    storage: FileStorage, key: str, small_parts: int, refuse: Callable[[str], None]
) -> None:
    refuse("UploadPart")
    refuse("AbortMultipartUpload")
    with pytest.raises(StorageError, match="upload_part"):
        await storage.put_stream(key, chunks_of(secrets.token_bytes(2 * small_parts)), *ABOUT)
    (left,) = unfinished(storage, key)
    FileStorage(storage._settings)._client.abort_multipart_upload(
        Bucket=os.environ["S3_BUCKET"], Key=key, UploadId=left
    )


@pytest.fixture
def held(storage: FileStorage) -> Iterator[Callable[[str], tuple[threading.Event, threading.Event]]]:
    """Holds the answer of an operation back: (it has been done, let it go on)."""
    gates: list[threading.Event] = []

    def hold(operation: str) -> tuple[threading.Event, threading.Event]:
        done, go_on = threading.Event(), threading.Event()
        gates.append(go_on)

        def wait(**_: Any) -> None:
            done.set()
            go_on.wait(20)

        storage._client.meta.events.register(f"after-call.s3.{operation}", wait)
        return done, go_on

    yield hold
    for gate in gates:
        gate.set()


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart"])
async def test_who_is_cancelled_while_s3_is_at_work_leaves_no_part(
    storage: FileStorage, key: str, small_parts: int, held: Callable[[str], Any], operation: str
) -> None:
    done, go_on = held(operation)
    chunks = chunks_of(secrets.token_bytes(2 * small_parts))
    upload = asyncio.create_task(storage.put_stream(key, chunks, *ABOUT))
    await asyncio.to_thread(done.wait, 20)
    for _ in range(3):  # as often as somebody likes
        upload.cancel()
        await asyncio.sleep(0.01)
        assert not upload.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await storage.head(key) is None
    assert unfinished(storage, key) == []


async def test_work_that_cannot_be_cancelled_is_waited_for_and_its_result_told_to_who_is_not_cancelled() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    async def fails() -> None:
        raise ValueError("it fails")

    assert await to_its_end(work()) == 7
    with pytest.raises(ValueError, match="it fails"):
        await to_its_end(fails())
