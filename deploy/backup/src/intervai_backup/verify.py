"""Checks a backup without restoring it: every file, byte for byte, and every document and object in it."""

import hashlib
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from bson.errors import BSONError

from intervai_backup.bucket import described_by, read_members
from intervai_backup.errors import BackupError, one_line
from intervai_backup.files import decompressed
from intervai_backup.manifest import Content, FileFacts, Manifest, read_manifest
from intervai_backup.report import say
from intervai_backup.revive import documents

CHUNK = 1024 * 1024


def verify(folder: Path) -> Manifest:
    """
    Raises:
        BackupError: it is no whole backup; says which file is wrong, and how.
    """
    manifest = read_manifest(folder)
    for file in manifest.files:
        _check_bytes(folder, file)
    for database in manifest.databases.values():
        for facts in database.collections.values():
            _check_content(folder, facts, lambda path: sum(1 for _ in documents(path)), "documents")
    _check_content(folder, manifest.bucket, _count_objects, "objects")
    say(f"{folder} is whole: {len(manifest.files)} files")
    return manifest


def _check_bytes(folder: Path, facts: FileFacts) -> None:
    path = folder / facts.path
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    if found != facts.sha256:
        size = path.stat().st_size
        what = "has other content" if size == facts.size else f"has {size} bytes instead of {facts.size}"
        raise BackupError(f"{path} is damaged: it {what}")


def _check_content(folder: Path, facts: Content, count: Callable[[Path], int], what: str) -> None:
    path = folder / facts.file.path
    try:
        found = count(path)
    except (OSError, EOFError, zlib.error, BSONError, tarfile.TarError, KeyError, ValueError) as error:
        raise BackupError(f"{path} cannot be read: {one_line(error)}") from error
    if found != facts.count:
        raise BackupError(f"{path} holds {found:,} {what} instead of {facts.count:,}")


def _count_objects(path: Path) -> int:
    count = 0
    with decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member, content in read_members(tar):
            described_by(member)
            while content.read(CHUNK):
                pass
            count += 1
    return count
