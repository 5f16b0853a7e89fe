"""Writes the one JSON document of a person's data as it comes in, compressed: no more than that is in memory."""

import asyncio
import gzip
import io
from collections.abc import Sequence

import orjson

from intervai_shared.models import Document, utc_now


class DataWriter:
    """`{generatedAt, user, services: {name: {collection: [document, …]}}}`. Compression works in a thread."""

    def __init__(self, user: str) -> None:
        self._buffer = io.BytesIO()
        self._file = gzip.GzipFile(fileobj=self._buffer, mode="wb", mtime=0)
        self._collection: str | None = None
        self._services = 0
        head = orjson.dumps({"generatedAt": utc_now(), "user": user})
        self._pending = [head[:-1], b',"services":{']

    async def begin(self, service: str) -> None:
        """What follows is of this service."""
        self._pending += [b"," if self._services else b"", orjson.dumps(service), b":{"]
        self._services += 1
        self._collection = None

    async def add(self, items: Sequence[Document]) -> None:
        """Documents as `PersonalData.page` gives them: those of a collection come together."""
        for item in items:
            if item["collection"] == self._collection:
                self._pending.append(b",")
            else:
                closes = b"]," if self._collection is not None else b""
                self._pending += [closes, orjson.dumps(item["collection"]), b":["]
                self._collection = item["collection"]
            self._pending.append(orjson.dumps(item["document"]))
        await self._flush()

    async def end(self) -> None:
        """That was all of this service."""
        self._pending.append(b"]}" if self._collection is not None else b"}")

    async def close(self) -> bytes:
        """The whole document, gzipped."""
        self._pending.append(b"}}")
        await self._flush()
        await asyncio.to_thread(self._file.close)
        return self._buffer.getvalue()

    async def _flush(self) -> None:
        chunk, self._pending = b"".join(self._pending), []
        await asyncio.to_thread(self._file.write, chunk)
