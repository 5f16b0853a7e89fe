"""ZIP archives that nobody holds as a whole."""

import io
import stat
import zipfile
from collections.abc import AsyncIterator

import pytest

from export_service.exports.archive import Archive

FILES = {"01-Ada-s-interview.md": b"# Ada\n" * 200_000, "02-面接.pdf": bytes(range(256)) * 5_000, "03-empty.csv": b""}
PIECE = 256 << 10


async def pieces_of(file: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(file), PIECE):
        yield file[start : start + PIECE]


async def packed() -> list[bytes]:
    archive, out = Archive(), []
    for name, file in FILES.items():
        out += [piece async for piece in archive.add(name, pieces_of(file), is_packed=name.endswith("pdf"))]
    return [*out, archive.end()]


async def test_an_archive_holds_its_files_in_their_order() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(await packed()))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert archive.namelist() == list(FILES)
        assert [entry.compress_type for entry in archive.infolist()] == [
            zipfile.ZIP_DEFLATED,
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ]
        assert {stat.filemode(entry.external_attr >> 16)[1:] for entry in archive.infolist()} == {"rw-r--r--"}


async def test_the_same_files_are_the_same_bytes_whatever_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    first = b"".join(await packed())
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert b"".join(await packed()) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


async def test_what_has_been_taken_is_not_kept() -> None:
    archive = Archive()
    async for piece in archive.add("x.pdf", pieces_of(bytes(20 * PIECE)), is_packed=True):
        assert len(piece) <= PIECE + 1024
        assert len(archive._sink._waiting) == 0
    assert len(archive.end()) < 1024


async def test_an_archive_that_nobody_takes_on_is_given_up_quietly(recwarn: pytest.WarningsRecorder) -> None:
    archive = Archive()
    adding = archive.add("x.pdf", pieces_of(bytes(3 * PIECE)), is_packed=True)
    async for _ in adding:
        break
    await adding.aclose()
    del archive, adding
    assert not recwarn.list
