"""A ZIP archive that is written as its files come, and is never whole in memory.

The sizes of a file stand behind it, in data descriptors (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT,
4.3.9): all usual programs read that. The same files give the same bytes.
"""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator

from intervai_shared.storage_upload import to_its_end

#: The first day that a ZIP can name: files have no time of their own.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o644 << 16


class _Sink(io.RawIOBase):
    """Takes what the archive writes, until somebody takes it from here."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that `zipfile` writes
        self._waiting += data
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


class Archive:
    """Files one after the other, then `end`."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")

    async def add(self, name: str, pieces: AsyncIterator[bytes], *, is_packed: bool) -> AsyncGenerator[bytes, None]:
        """A file of the archive, as its pieces come. `is_packed`: it is compressed already."""
        about = zipfile.ZipInfo(name, _EPOCH)
        about.create_system, about.external_attr = _UNIX, _READABLE
        about.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
        with self._zip.open(about, "w") as file:
            async for piece in pieces:
                # Some milliseconds of CPU, in which zlib lets other threads run.
                await to_its_end(asyncio.to_thread(file.write, piece))
                if packed := self._sink.taken():
                    yield packed
        yield self._sink.taken()

    def end(self) -> bytes:
        """The list of the files, which ends the archive."""
        self._zip.close()
        return self._sink.taken()
