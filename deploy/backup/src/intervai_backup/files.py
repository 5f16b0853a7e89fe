"""Files that only their owner may read, hashed while they are written; and the folder that appears at the end."""

import gzip
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from intervai_backup.errors import BackupError

#: In an unfinished backup: what carries it may be deleted.
UNFINISHED = "UNFINISHED"
#: Level 3 is four times faster than the default of 9 and gives files about 5 % larger.
GZIP_LEVEL = 3


def open_private(path: Path) -> BinaryIO:
    """A new file, mode 600, to be written. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class HashedFile(io.RawIOBase):
    """A private file that knows its size and its SHA-256."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = open_private(path)
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data))
        self._hash.update(view)
        self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    @property
    def sha256(self) -> str:
        """Of what has been written so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """To the disk: a backup that a power cut takes away is none."""
        if not self.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        super().close()


@contextmanager
def compressed(path: Path) -> Iterator[tuple[IO[bytes], HashedFile]]:
    """Where to write what is to be compressed, and the file that it goes to."""
    with HashedFile(path) as file, gzip.GzipFile("", "wb", GZIP_LEVEL, cast(IO[bytes], file), mtime=0) as stream:
        yield cast(IO[bytes], stream), file


@contextmanager
def decompressed(path: Path) -> Iterator[IO[bytes]]:
    """What `compressed` has written. Raises OSError, EOFError, zlib.error when it is damaged."""
    with gzip.open(path, "rb") as stream:
        yield cast(IO[bytes], stream)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to, which gets its name when the block has ended well, and else is deleted.

    Raises:
        BackupError: there is something of this name already.
    """
    draft = folder.with_name(f"{folder.name}.partial")
    if folder.exists():
        raise BackupError(f"{folder} exists already; choose another name")
    _remove_unfinished(draft)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.mkdir(mode=0o700)
    (draft / UNFINISHED).touch(mode=0o600)
    try:
        yield draft
        (draft / UNFINISHED).unlink()
        _sync(draft)
        draft.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _remove_unfinished(draft: Path) -> None:
    if not draft.exists():
        return
    if not (draft / UNFINISHED).exists():
        raise BackupError(f"{draft} is in the way, and no unfinished backup; move it")
    shutil.rmtree(draft)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
