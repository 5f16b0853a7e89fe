"""What a backup promises while others write, and what an interrupted one leaves."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import ObjectId
from pymongo.client_session import ClientSession

from intervai_backup import backup, bucket, databases
from intervai_backup.backup import take
from intervai_backup.errors import BackupError
from intervai_backup.manifest import Manifest, read_manifest
from intervai_backup.revive import documents, ready_exports
from intervai_backup.verify import verify
from intervai_shared.models import utc_now


def contents(folder: Path, manifest: Manifest, service: str, collection: str) -> list[dict[str, Any]]:
    path = folder / manifest.databases[service].collections[collection].file.path
    return [bson.decode(raw.raw) for raw in documents(path)]


class Writer(threading.Thread):
    """Adds questions and counts them in their session, each time in one transaction, until told to stop."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self._target = target
        self._stop_it = threading.Event()
        self.written = 0
        target["qa"].sessions.insert_one({"_id": 1, "questionCount": 0})
        target["qa"].questions.insert_one({"_id": 0})

    def run(self) -> None:
        def add(session: ClientSession) -> None:
            qa = self._target["qa"]
            qa.sessions.update_one({"_id": 1}, {"$inc": {"questionCount": 1}}, session=session)
            qa.questions.insert_one({"session": 1}, session=session)

        with self._target.mongo.start_session() as session:
            while not self._stop_it.is_set():
                session.with_transaction(add)
                self.written += 1

    def stop(self) -> None:
        self._stop_it.set()
        self.join()


def test_a_database_is_read_at_one_moment_whatever_is_written_meanwhile(
    source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, read = Writer(source), databases._read

    def slowly(collection: Any, *rest: Any) -> Any:
        if collection.name == "sessions":  # the questions have been read: let some more come before the count is
            seen = writer.written
            while writer.written < seen + 20:
                time.sleep(0.01)
        return read(collection, *rest)

    monkeypatch.setattr(databases, "_read", slowly)
    writer.start()
    try:
        manifest = take(source.settings, folder)
    finally:
        writer.stop()
    [session] = contents(folder, manifest, "qa", "sessions")
    questions = contents(folder, manifest, "qa", "questions")
    assert session["questionCount"] == len(questions) - 1 < writer.written


def test_a_file_that_an_export_names_is_copied_though_it_came_after_the_backup_had_begun(
    source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, dump = ObjectId(), backup.dump

    def with_one_more(database: Any, draft: Path) -> Any:
        if database.name.endswith("export"):
            source.put(f"exports/{late}.pdf", b"late")
            database.exports.insert_one({"_id": late, "status": "succeeded", "format": "pdf"})
        return dump(database, draft)

    monkeypatch.setattr(backup, "dump", with_one_more)
    manifest = take(source.settings, folder)
    assert [str(e["_id"]) for e in contents(folder, manifest, "export", "exports")] == [str(late)]
    assert (manifest.bucket.count, manifest.bucket.exports_without_file) == (1, [])


def test_an_object_that_is_deleted_while_it_is_copied_stops_nothing_and_its_export_is_noted(
    source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = ObjectId(), ObjectId()
    for number in (kept, gone):
        source["export"].exports.insert_one({"_id": number, "status": "succeeded", "format": "pdf"})
        source.put(f"exports/{number}.pdf", b"x")
    names = bucket.Bucket.object_names

    def listed_then_deleted(self: Any) -> Any:
        found = list(names(self))
        source.s3.delete_object(Bucket=source.bucket, Key=f"exports/{gone}.pdf")
        return iter(found)

    monkeypatch.setattr(bucket.Bucket, "object_names", listed_then_deleted)
    manifest = take(source.settings, folder)
    assert (manifest.bucket.count, manifest.bucket.exports_without_file) == (1, [str(gone)])


def test_objects_are_named_as_export_service_names_them(source: Any, folder: Path) -> None:
    from export_service.exports.service import object_key  # noqa: PLC0415  only this test knows the service

    export = {"_id": ObjectId(), "status": "succeeded", "format": "docx"}
    hashed = {"_id": ObjectId(), "status": "succeeded", "format": "pdf", "contentHash": "ab" * 32}
    source["export"].exports.insert_many([export, hashed])
    manifest = take(source.settings, folder)
    found = dict(ready_exports(folder, manifest.databases, utc_now() - timedelta(days=7)))
    assert found == {str(one["_id"]): object_key(one) for one in (export, hashed)}


def test_nobody_misses_the_files_of_exports_that_have_expired(source: Any, folder: Path) -> None:
    expired, ready = ObjectId(), ObjectId()
    for export_id, age in ((expired, timedelta(days=7, minutes=1)), (ready, timedelta(days=6))):
        made = {"status": "succeeded", "format": "pdf", "finishedAt": utc_now() - age}
        source["export"].exports.insert_one({"_id": export_id, **made})
    assert take(source.settings, folder).bucket.exports_without_file == [str(ready)]


def test_only_its_owner_may_read_a_backup_and_the_manifest_tells_what_is_in_it(source: Any, folder: Path) -> None:
    source["auth"].accounts.insert_many([{"n": number} for number in range(250)])
    take(source.settings, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert {oct(p.stat().st_mode & 0o777) for p in [folder, *folder.rglob("*")] if p.is_dir()} == {"0o700"}
    manifest = json.loads((folder / "manifest.json").read_text())
    accounts = manifest["databases"]["auth"]["collections"]["accounts"]
    assert (accounts["count"], accounts["bytes"]) == (250, 250 * len(bson.encode({"_id": ObjectId(), "n": 1})))
    checked = subprocess.run(
        ["sha256sum", "--check", "manifest.json.sha256"], cwd=folder, capture_output=True, check=False
    )
    assert checked.returncode == 0
    assert os.environ["KEY_ENCRYPTION_KEY"] not in (folder / "manifest.json").read_text()


def test_a_backup_takes_little_memory_however_much_there_is(source: Any, folder: Path) -> None:
    text = secrets.token_hex(15_000)
    for _ in range(20):  # an insert of all is more than the embedded engine's cache takes before a commit
        source["qa"].questions.insert_many([{"text": text} for _ in range(50)])
    for number in range(8):
        source.put(f"large/{number}", secrets.token_bytes(4_000_000))
    tracemalloc.start()
    try:
        manifest = take(source.settings, folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    questions = manifest.databases["qa"].collections["questions"]
    assert questions.bytes > 30_000_000 < manifest.bucket.bytes
    assert peak < 25_000_000


def test_a_wrong_prefix_or_a_half_restored_database_is_no_backup_of_nothing(source: Any, folder: Path) -> None:
    source.mongo.drop_database(source["qa"].name)
    with pytest.raises(BackupError, match=rf"no database {source['qa'].name}"):
        take(source.settings, folder)
    source["qa"].half_restored.insert_one({})
    with pytest.raises(BackupError, match="half restored"):
        take(source.settings, folder)
    assert not folder.exists()


def test_a_backup_that_fails_leaves_nothing_and_an_existing_one_is_never_touched(
    source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "write", full)
        with pytest.raises(OSError, match="disk full"):
            take(source.settings, folder)
    assert list(folder.parent.iterdir()) == []
    first = take(source.settings, folder)
    with pytest.raises(BackupError, match="exists already"):
        take(source.settings, folder)
    assert read_manifest(folder) == first


def test_a_killed_backup_does_not_look_like_one_and_the_next_of_its_name_begins_anew(source: Any, folder: Path) -> None:
    for number in range(300):
        source.put(f"o/{number}", b"x" * 1000)
    chosen = {"MONGO_DATABASE_PREFIX": source.settings.mongo_database_prefix, "S3_BUCKET": source.bucket}
    command = [sys.executable, "-m", "intervai_backup", "backup", str(folder)]
    process = subprocess.Popen(command, env={**os.environ, **chosen}, stdout=subprocess.PIPE)
    draft = folder.with_name("backup.partial")
    while not (draft / "objects.tar.gz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()
    assert draft.exists()
    assert not folder.exists()
    with pytest.raises(BackupError, match="is no backup"):
        verify(draft)
    take(source.settings, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["backup"]


def test_a_folder_that_is_none_of_ours_is_not_deleted(source: Any, folder: Path) -> None:
    other = folder.with_name("backup.partial")
    other.mkdir()
    (other / "letters.txt").write_text("mine")
    with pytest.raises(BackupError, match=r"partial is in the way"):
        take(source.settings, folder)
    assert (other / "letters.txt").read_text() == "mine"


def test_a_snapshot_that_the_server_has_ended_is_said_in_one_line(
    source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = databases._read

    def ended(collection: Any, session: ClientSession, *rest: Any) -> Any:
        facts = read(collection, session, *rest)
        lsid = {**session.session_id}
        number = bson.Int64(session._server_session._transaction_id)
        source.mongo.admin.command({"abortTransaction": 1, "lsid": lsid, "txnNumber": number, "autocommit": False})
        return facts

    source["qa"].questions.insert_one({})
    monkeypatch.setattr(databases, "_read", ended)
    with pytest.raises(BackupError, match=r"could not be read in one snapshot.*Large databases.*docs/backup\.md"):
        take(source.settings, folder)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_every_damaged_file_is_found(source: Any, folder: Path, damage: str) -> None:
    source.put("a", b"content")
    manifest = take(source.settings, folder)
    verify(folder)
    names = [file.path for file in manifest.files] + ["manifest.json", "manifest.json.sha256"]
    for path in [folder / name for name in names]:
        whole = path.read_bytes()
        broken = whole[: len(whole) // 2] if damage == "cut" else bytes([whole[0] ^ 1, *whole[1:]])
        path.unlink() if damage == "gone" else path.write_bytes(broken)
        with pytest.raises(BackupError, match="manifest.json" if "manifest" in path.name else path.name):
            verify(folder)
        path.write_bytes(whole)
    verify(folder)
