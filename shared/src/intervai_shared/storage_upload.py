"""Files of any size into S3: no more than two parts are in memory, and what comes to lie in the bucket is whole.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from intervai_shared.logs import log

#: S3 takes parts of 5 MiB and more (the last one may be smaller), and 10,000 of them: files of up to 78 GiB.
PART_BYTES = 8 << 20
Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Stored:
    """What has been stored. `sha256`: 64 hex digits, of the file's bytes."""

    size_bytes: int
    sha256: str


class StreamUpload:
    """One file on its way: a plain put when it fits into one part, else a multipart upload.

    `call(operation, **params)` is a call to S3; `about` are the headers of the file.
    """

    def __init__(self, call: Call, key: str, about: dict[str, str]) -> None:
        self._call = call
        self._key = key
        self._about = about
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    async def run(self, chunks: AsyncIterator[bytes]) -> Stored:
        """Stores the chunks as one file. When it raises, or is cancelled, no part is left.

        Raises:
            StorageError: S3 did not take it.
            Exception: what `chunks` raised.
        """
        digest, size, waiting = hashlib.sha256(), 0, bytearray()
        try:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                waiting += chunk
                while len(waiting) > PART_BYTES:
                    await self._put_part(_cut(waiting))
            await self._end(bytes(waiting))
        except BaseException:
            await self._abort()
            raise
        return Stored(size, digest.hexdigest())

    async def _put_part(self, body: bytes) -> None:
        if self._id is None:
            await to_its_end(self._begin())
        number = len(self._parts) + 1
        answer = await self._on_it("upload_part", PartNumber=number, Body=body)
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})

    async def _end(self, rest: bytes) -> None:
        if self._id is None:
            await to_its_end(self._put_whole(rest))
            return
        await self._put_part(rest)
        await self._on_it("complete_multipart_upload", MultipartUpload={"Parts": self._parts})

    async def _put_whole(self, body: bytes) -> None:
        await self._call("put_object", Key=self._key, Body=body, **self._about)

    async def _begin(self) -> None:
        # It notes the id itself: who is cancelled meanwhile must know what to abort.
        self._id = (await self._call("create_multipart_upload", Key=self._key, **self._about))["UploadId"]

    async def _on_it(self, operation: str, **params: Any) -> Any:
        async def call() -> Any:
            return await self._call(operation, Key=self._key, UploadId=self._id, **params)

        return await to_its_end(call())

    async def _abort(self) -> None:
        """No part is on its way any more: it would outlive the abort. What stays since S3 is away, the bucket's
        lifecycle rule takes."""
        if self._id is None:
            return
        try:
            await self._on_it("abort_multipart_upload")
        except Exception as error:
            log.error("parts of a file stay", key=self._key, error=repr(error))


async def to_its_end(work: Coroutine[Any, Any, Any]) -> Any:
    """Waits for what goes on in a thread, whether we are cancelled or not: when we go on, it is over."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # looked at, so that asyncio does not complain of it
        raise cancelled
    return task.result()


def _cut(waiting: bytearray) -> bytes:
    with memoryview(waiting) as view:
        part = bytes(view[:PART_BYTES])
    del waiting[:PART_BYTES]
    return part
