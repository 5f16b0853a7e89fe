"""Restores a backup, in place of what is there, while the services are stopped.

Databases are dropped and loaded, not loaded beside and renamed: SecantusDB's rename copies all documents again and
loses a collection's options, and twice the data would need twice the disk. So the backup is read through and found
whole before anything is dropped; and from then until the last database is loaded each of them carries a marker, by
which a service knows that it must not start. A restore that was interrupted is run again.
"""

import gzip
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bson import json_util
from pymongo import InsertOne
from pymongo.database import Database

from intervai_backup.bucket import Bucket
from intervai_backup.databases import Client, connect, is_embedded
from intervai_backup.disk_set import DiskSet
from intervai_backup.errors import BackupError
from intervai_backup.files import decompressed
from intervai_backup.manifest import CollectionFacts, Manifest
from intervai_backup.redis_state import RedisState
from intervai_backup.report import say
from intervai_backup.revive import Change, Revival, decoded, documents
from intervai_backup.settings import MARKER, SERVICES, BackupSettings
from intervai_backup.verify import verify
from intervai_shared.models import utc_now

#: What a service makes by itself at its first start: a database with nothing else counts as empty.
SELF_MADE = {"signing_keys"}
BATCH_DOCUMENTS = 1000
BATCH_BYTES = 8 * 1024 * 1024

AnyDatabase = Database[dict[str, Any]]


def restore(settings: BackupSettings, folder: Path, *, replace: bool = False) -> Manifest:
    """Makes databases and bucket what they are in the backup, and empties Redis.

    Raises:
        BackupError: the backup is not whole, its key is another, services run, or there is data and not `replace`:
            then nothing has been changed. Or what was loaded is not what is in the backup.
        pymongo.errors.PyMongoError, botocore.exceptions.BotoCoreError, ClientError, redis.RedisError, OSError
    """
    manifest = verify(folder)
    _check_key(manifest, settings)
    bucket, redis = Bucket(settings), RedisState(settings)
    with connect(settings) as client, DiskSet() as loaded:
        redis.refuse_running_services()
        if not replace:
            _refuse_data(settings, client, bucket)
        targets = {service: client[settings.database(service)] for service in SERVICES}
        for database in targets.values():
            _mark(database, folder)
        # Objects first: no record is there before its file.
        _load_objects(bucket, folder, manifest, loaded)
        revival = Revival.of(manifest)
        for service, database in targets.items():
            _load_database(database, service, folder, manifest, revival)
        removed = bucket.delete(key for key in bucket.object_names() if key not in loaded)
        say(f"s3://{bucket.name}: {removed:,} objects removed that are not in the backup")
        say(f"redis: {redis.empty():,} keys removed: queues, caches, log-in sessions")
        for database in targets.values():
            database.drop_collection(MARKER)
    return manifest


def _check_key(manifest: Manifest, settings: BackupSettings) -> None:
    here = settings.key_fingerprint()
    if here is None or manifest.key_fingerprint is None:
        say("warning: cannot tell whether KEY_ENCRYPTION_KEY is that of the backup; auth-service will not start if not")
    elif here != manifest.key_fingerprint:
        raise BackupError(
            "KEY_ENCRYPTION_KEY is not the one of the backup, and auth-service could not open its signing keys; "
            "set it to the key of the suite that was backed up"
        )


def _refuse_data(settings: BackupSettings, client: Client, bucket: Bucket) -> None:
    databases = [client[settings.database(service)] for service in SERVICES]
    if any(database[MARKER].find_one() for database in databases):
        return  # an interrupted restore: nothing there is whole
    filled = [
        f"{database.name}.{name}"
        for database in databases
        for name in sorted(set(_collections(database)) - SELF_MADE)
        if database[name].find_one({}, {"_id": 1})
    ]
    if next(bucket.object_names(), None):
        filled.append(f"s3://{bucket.name}")
    if filled:
        shown = ", ".join(filled[:4]) + (", …" if len(filled) > 4 else "")
        raise BackupError(f"there is data already ({shown}); --replace puts the backup in its place")


def _collections(database: AnyDatabase) -> list[str]:
    return [name for name in database.list_collection_names() if not name.startswith("system.")]


def _mark(database: AnyDatabase, folder: Path) -> None:
    marker = {"backup": folder.name, "startedAt": utc_now()}
    database[MARKER].update_one({"_id": "restore"}, {"$set": marker}, upsert=True)


def _load_objects(bucket: Bucket, folder: Path, manifest: Manifest, loaded: DiskSet) -> None:
    started = time.monotonic()
    with decompressed(folder / manifest.bucket.file.path) as stream:
        count = bucket.load(stream, loaded)
    say(f"s3://{bucket.name}: {count:,} objects, {time.monotonic() - started:.1f} s")


def _load_database(database: AnyDatabase, service: str, folder: Path, manifest: Manifest, revival: Revival) -> None:
    for name in _collections(database):
        if name != MARKER:
            _drop(database, name)
    for name, facts in manifest.databases[service].collections.items():
        started = time.monotonic()
        metadata = json_util.loads(gzip.decompress((folder / facts.metadata.path).read_bytes()))
        _create(database, name, metadata)
        count = _load_documents(database, name, folder, facts, revival.change(service, name))
        _check_loaded(database, name, metadata, count, facts)
        say(f"{database.name}.{name}: {count:,} documents, {time.monotonic() - started:.1f} s")


def _drop(database: AnyDatabase, name: str) -> None:
    """SecantusDB's drop waits for ever, and lets nobody else in, while a transaction of a killed process has written
    to the collection. Its delete waits in peace until that one is ended, after a minute at most, as MongoDB's drop
    does."""
    if is_embedded(database.client):
        database[name].delete_many({})
    database.drop_collection(name)


def _create(database: AnyDatabase, name: str, metadata: dict[str, Any]) -> None:
    """With its indexes before its documents: SecantusDB took minutes for an index over 50,000 that were there."""
    database.command({"create": name, **metadata["options"]})
    if indexes := [index for index in _plain(metadata["indexes"]) if index["name"] != "_id_"]:
        database.command({"createIndexes": name, "indexes": indexes})


def _plain(indexes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Without what the server adds by itself."""
    return [{key: value for key, value in index.items() if key not in {"v", "ns"}} for index in indexes]


def _load_documents(
    database: AnyDatabase, name: str, folder: Path, facts: CollectionFacts, change: Change | None
) -> int:
    count = 0
    for batch in _batches(folder / facts.file.path, change):
        count += database[name].bulk_write([InsertOne(document) for document in batch], ordered=False).inserted_count
    return count


def _batches(file: Path, change: Change | None) -> Iterator[list[Any]]:
    """Of documents, raw as they are unless they are changed: then nothing is lost between two forms."""
    batch: list[Any] = []
    size = 0
    for raw in documents(file):
        batch.append(change(decoded(raw)) if change else raw)
        size += len(raw.raw)
        if len(batch) == BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_loaded(
    database: AnyDatabase, name: str, metadata: dict[str, Any], count: int, facts: CollectionFacts
) -> None:
    """Raises BackupError. Documents are counted as they are taken by the server: TTL may remove some at once."""
    made = {index["name"]: index for index in _plain(database[name].list_indexes())}
    wanted = {index["name"]: index for index in _plain(metadata["indexes"])}
    if made != wanted:
        raise BackupError(f"{database.name}.{name} has got other indexes than in the backup: {', '.join(made)}")
    if count != facts.count:
        raise BackupError(f"{database.name}.{name} has got {count:,} documents instead of {facts.count:,}")
