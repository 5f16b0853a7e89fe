"""The manifest: what is in a backup, and how to tell that it is whole. Its form is in docs/backup.md."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from intervai_backup.errors import BackupError
from intervai_backup.files import open_private

FILE = "manifest.json"
#: Of the manifest, in the form of `sha256sum`.
SUM_FILE = f"{FILE}.sha256"


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class FileFacts(_Model):
    """A file of the backup. `path` is relative to its folder, `size` in bytes as it lies there."""

    path: str
    size: int
    sha256: str


class Content(_Model):
    """A file, what is in it (documents or objects), their bytes before compression, and the seconds it took."""

    file: FileFacts
    count: int
    bytes: int
    seconds: float


class CollectionFacts(Content):
    """`metadata` is the file with its options and indexes."""

    metadata: FileFacts


class DatabaseFacts(_Model):
    """`read_at`: the database is as it was at this moment, or some milliseconds later."""

    name: str
    read_at: datetime
    collections: dict[str, CollectionFacts]


class BucketFacts(Content):
    """`exports_without_file`: ids of exports whose object was not there any more when the bucket was read."""

    name: str
    exports_without_file: list[str] = Field(default_factory=list)


class Manifest(_Model):
    """Of a whole backup. `databases` is by service."""

    format: Literal[1] = 1
    tool: str
    server: str
    started_at: datetime
    finished_at: datetime
    key_fingerprint: str | None
    databases: dict[str, DatabaseFacts]
    bucket: BucketFacts

    @property
    def files(self) -> list[FileFacts]:
        """All files of the backup but the manifest itself."""
        collections = [facts for database in self.databases.values() for facts in database.collections.values()]
        return [file for facts in collections for file in (facts.file, facts.metadata)] + [self.bucket.file]

    @property
    def oldest_read(self) -> datetime:
        """When the database was read that was read first."""
        return min(database.read_at for database in self.databases.values())

    def write(self, folder: Path) -> None:
        """Writes the manifest and its checksum, the last two files of a backup."""
        content = self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
        with open_private(folder / FILE) as file:
            file.write(content)
        with open_private(folder / SUM_FILE) as file:
            file.write(f"{hashlib.sha256(content).hexdigest()}  {FILE}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """
    Raises:
        BackupError: the folder holds no whole backup, or one in a form that this tool does not know.
    """
    try:
        content, noted = (folder / FILE).read_bytes(), (folder / SUM_FILE).read_text()
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {error.strerror}: {error.filename}") from error
    if noted.split()[:1] != [hashlib.sha256(content).hexdigest()]:
        raise BackupError(f"{folder / FILE} is damaged: it does not fit {SUM_FILE}")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BackupError(f"{folder / FILE} is not of a form that this version reads (format 1)") from error
