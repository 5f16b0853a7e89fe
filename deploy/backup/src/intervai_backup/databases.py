"""Reads databases, each as it was at one moment.

By a transaction with read concern snapshot: MongoDB and SecantusDB give both the same then. A snapshot session would
live five minutes instead of one on MongoDB, but SecantusDB takes it and ignores it (see docs/backup.md).
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from bson import json_util
from pymongo import MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from intervai_backup.errors import BackupError
from intervai_backup.files import HashedFile, compressed
from intervai_backup.manifest import CollectionFacts, DatabaseFacts, FileFacts
from intervai_backup.report import say_content
from intervai_backup.settings import MARKER, BackupSettings
from intervai_shared.models import utc_now

#: Below the backup's folder; with its `*.bson.gz` and `*.metadata.json.gz` it is what `mongodump --gzip` makes.
FOLDER = "mongo"
#: Documents in one answer of the server, some six copies of which are in memory for a moment.
BATCH = 100
TIMEOUT_MS = 10_000
#: Error codes of a transaction that the server has ended: it was open too long, or its history is gone.
_TOO_LONG = {251, 290, 239}

Documents = Collection[dict[str, Any]]
Client = MongoClient[dict[str, Any]]


def connect(settings: BackupSettings) -> Client:
    """The client of a backup or a restore."""
    uri = settings.mongo_uri.get_secret_value()
    return MongoClient(uri, appname="intervai-backup", serverSelectionTimeoutMS=TIMEOUT_MS, w="majority", tz_aware=True)


def is_embedded(client: Client) -> bool:
    """Whether the server is SecantusDB, the one of the local runner."""
    return bool(client.admin.command("hello").get("setName") == "secantus")


def dump(database: Database[dict[str, Any]], folder: Path) -> DatabaseFacts:
    """Writes all collections of a database into `folder`, the backup's.

    Raises:
        BackupError: there is no such database, or it is half restored; or the server ended the snapshot too early.
    """
    found = _collections(database)
    target = folder / FOLDER / database.name
    target.mkdir(mode=0o700)
    metadata = {name: _write_metadata(database[name], found[name], target) for name in sorted(found)}
    with (
        database.client.start_session() as session,
        session.start_transaction(read_concern=ReadConcern("snapshot"), read_preference=ReadPreference.PRIMARY),
    ):
        # Before the first read, which is what the snapshot dates from: rather too early than too late.
        read_at, started = utc_now(), time.monotonic()
        try:
            read = {name: _read(database[name], session, target, metadata[name]) for name in metadata}
        except OperationFailure as error:
            if error.code not in _TOO_LONG:
                raise
            raise BackupError(
                f"{database.name} could not be read in one snapshot: the server ended it after "
                f"{time.monotonic() - started:.0f} s; see 'Large databases' in docs/backup.md"
            ) from error
    return DatabaseFacts(name=database.name, read_at=read_at, collections=read)


def _collections(database: Database[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The options of each collection."""
    found = {info["name"]: info.get("options", {}) for info in database.list_collections() if _is_data(info)}
    if not found:
        raise BackupError(f"there is no database {database.name}, or nothing in it")
    if MARKER in found:
        raise BackupError(f"{database.name} is half restored; run the restore again before you back it up")
    return found


def _is_data(info: Mapping[str, Any]) -> bool:
    return info.get("type", "collection") == "collection" and not info["name"].startswith("system.")


def _read(collection: Documents, session: ClientSession, target: Path, metadata: FileFacts) -> CollectionFacts:
    started, count, size = time.monotonic(), 0, 0
    path = target / f"{_file_name(collection.name)}.bson.gz"
    with compressed(path) as (stream, file):
        raw = cast(Iterator[bytes], collection.find_raw_batches({}, batch_size=BATCH, session=session))
        for batch in raw:
            stream.write(batch)
            count += sum(1 for _ in _lengths(batch))
            size += len(batch)
    facts = CollectionFacts(
        file=_facts(path, file), count=count, bytes=size, seconds=time.monotonic() - started, metadata=metadata
    )
    say_content(f"{collection.database.name}.{collection.name}", facts)
    return facts


def _lengths(batch: bytes) -> Iterator[int]:
    """Of each document: BSON begins with its length, 4 bytes (https://bsonspec.org/spec.html)."""
    position = 0
    while position < len(batch):
        length = int.from_bytes(batch[position : position + 4], "little")
        yield length
        position += length


def _write_metadata(collection: Documents, options: dict[str, Any], target: Path) -> FileFacts:
    path = target / f"{_file_name(collection.name)}.metadata.json.gz"
    content = {
        "options": options,
        "indexes": list(collection.list_indexes()),
        "collectionName": collection.name,
        "type": "collection",
    }
    with compressed(path) as (stream, file):
        stream.write(json_util.dumps(content, json_options=json_util.CANONICAL_JSON_OPTIONS).encode())
    return _facts(path, file)


def _file_name(collection: str) -> str:
    return quote(collection, safe="")


def _facts(path: Path, file: HashedFile) -> FileFacts:
    return FileFacts(path=f"{FOLDER}/{path.parent.name}/{path.name}", size=file.size, sha256=file.sha256)
