"""What is there after a restore, what a restore refuses, and what a half one leaves."""

import gzip
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from cryptography.fernet import Fernet

from intervai_backup import restore as restoring
from intervai_backup.backup import take
from intervai_backup.errors import BackupError
from intervai_backup.restore import restore
from intervai_backup.settings import SERVICES
from intervai_shared.auth.revocations import STREAM
from intervai_shared.testing import redis_at

NOW = datetime.now(UTC).replace(microsecond=0)


def fill_with_all_kinds(target: Any) -> None:
    """Every BSON type, every kind of index and option, every kind of object."""
    target["qa"].create_collection("strict", collation={"locale": "de", "strength": 2}, validator={"n": {"$gte": 0}})
    target["qa"].strict.insert_one({"n": 1})
    values = [1, Int64(2), 2.5, Decimal128("0.10"), "ü\u0000x", True, None, Binary(b"\0\xff", 128), Regex("^a", "i")]
    values += [
        Code("f()"),
        Timestamp(1, 2),
        MinKey(),
        MaxKey(),
        {"b": 1, "a": [1, {}]},
        datetime(1890, 5, 1, tzinfo=UTC),
    ]
    target["qa"].kinds.insert_many([{"_id": number, "v": value} for number, value in enumerate(values)])
    target["qa"].kinds.insert_many([{"_id": ObjectId(), "text": f"{n}"} for n in range(50)])
    kinds = target["qa"].kinds
    kinds.create_index([("v", 1)], unique=True, partialFilterExpression={"v": {"$exists": True}})
    kinds.create_index([("text", 1)], name="by text", collation={"locale": "de", "strength": 1})
    kinds.create_index([("when", 1)], expireAfterSeconds=9_999_999)
    kinds.create_index([("v.a", -1), ("text", 1)], sparse=True)
    target["qa"].create_collection("empty")
    disposition = "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%BC.pdf"
    target.put("exports/a.pdf", b"%PDF", ContentType="application/pdf", ContentDisposition=disposition)
    target.put("a b/ü/'x'+&%.txt", b"", CacheControl="no-store", Metadata={"owner": "7"})
    target.put("large.bin", os.urandom(3_000_000), ContentType="application/x-large", Metadata={"k": "v"})


def test_everything_comes_back_as_it_was(
    source: Any, make_target: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "BATCH_DOCUMENTS", 20)  # several, the last one not full
    fill_with_all_kinds(source)
    before, target = source.everything(), make_target()
    take(source.settings, folder)
    restore(target.settings, folder)
    assert target.everything() == before == source.everything()


def test_data_is_replaced_only_if_asked_for_and_then_wholly(source: Any, folder: Path) -> None:
    source["qa"].sessions.insert_one({"_id": 1, "title": "old"})
    source.put("exports/kept", b"old")
    before = source.everything()
    take(source.settings, folder)
    source["qa"].sessions.update_one({"_id": 1}, {"$set": {"title": "new"}})
    source["user"].later.insert_one({})
    source.put("exports/kept", b"new")
    source.put("exports/later", b"new")
    now = source.everything()
    with pytest.raises(BackupError, match=r"there is data already .*user.*--replace"):
        restore(source.settings, folder)
    assert source.everything() == now
    restore(source.settings, folder, replace=True)
    assert source.everything() == before
    restore(source.settings, folder, replace=True)
    assert source.everything() == before


def test_what_a_service_makes_at_its_first_start_is_no_data(source: Any, make_target: Any, folder: Path) -> None:
    take(source.settings, folder)
    target = make_target()
    target["auth"].signing_keys.insert_one({"number": 1})
    target["auth"].outbox.create_index("state")
    restore(target.settings, folder)
    assert target.everything() == source.everything()
    target.put("lonely", b"x")
    for service in SERVICES:
        target[service].outbox.delete_many({})
    with pytest.raises(BackupError, match=rf"there is data already \(s3://{target.bucket}\)"):
        restore(target.settings, folder)


def test_a_damaged_backup_changes_nothing(source: Any, folder: Path) -> None:
    manifest = take(source.settings, folder)
    path = folder / manifest.databases["auth"].collections["outbox"].file.path
    path.write_bytes(gzip.compress(b"x"))
    before = source.everything()
    with pytest.raises(BackupError, match="is damaged"):
        restore(source.settings, folder, replace=True)
    assert source.everything() == before


def test_an_interrupted_restore_is_marked_in_every_database_until_one_has_run_to_its_end(
    source: Any, make_target: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(source.settings, folder)
    target, load = make_target(), restoring._load_database

    def until_qa(database: Any, service: str, *rest: Any) -> None:
        if service == "qa":
            raise OSError("killed")
        load(database, service, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_load_database", until_qa)
        with pytest.raises(OSError, match="killed"):
            restore(target.settings, folder)
    for service in SERVICES:
        assert target[service].half_restored.find_one()["backup"] == "backup"
    with pytest.raises(BackupError, match="half restored"):
        take(target.settings, folder.with_name("of-a-half"))
    restore(target.settings, folder)
    assert target.everything() == source.everything()


@pytest.mark.parametrize("process", ["qa-service", "auth-service"])
def test_nothing_is_restored_under_running_services(source: Any, folder: Path, process: str) -> None:
    take(source.settings, folder)
    before = source.everything()
    client = redis_at(source.settings.redis_url.get_secret_value(), client_name=process)
    client.ping()
    with pytest.raises(BackupError, match=rf"services run: {process}; stop all"):
        restore(source.settings, folder, replace=True)
    assert source.everything() == before
    client.close()
    restore(source.settings, folder, replace=True)


def test_another_key_is_refused_and_an_unknown_one_is_said(
    source: Any, make_target: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(source.settings, folder)
    other = make_target(key_encryption_key=Fernet.generate_key().decode())
    with pytest.raises(BackupError, match="KEY_ENCRYPTION_KEY is not the one of the backup"):
        restore(other.settings, folder)
    assert other["auth"].list_collection_names() == []
    none = other.settings.model_copy(update={"key_encryption_key": None})
    restore(none, folder)
    assert "cannot tell whether KEY_ENCRYPTION_KEY" in capsys.readouterr().out


def test_redis_is_emptied_but_for_the_revoked_sessions(source: Any, folder: Path) -> None:
    take(source.settings, folder)
    source.redis.mset({f"{{intervai-qa-service}}:generation.{number}": "m" for number in range(1200)})
    source.redis.xadd(STREAM, {"sid": "s"})
    restore(source.settings, folder, replace=True)
    assert list(source.redis.scan_iter()) == [STREAM.encode()]  # of a Cluster, KEYS asks one node only


def test_what_was_on_its_way_is_sent_again(source: Any, make_target: Any, folder: Path) -> None:
    long_ago = NOW - timedelta(hours=30)
    sent = {"recent": NOW - timedelta(minutes=5), "in a queue for a day": NOW - timedelta(hours=23), "old": long_ago}
    source["auth"].outbox.insert_many([{"_id": k, "state": "published", "publishedAt": t} for k, t in sent.items()])
    source["user"].inbox.insert_many(
        [{"_id": 1, "appliedAt": NOW - timedelta(hours=2)}, {"_id": 2, "appliedAt": long_ago}]
    )
    take(source.settings, folder)
    target = make_target()
    restore(target.settings, folder)
    messages = {
        m["_id"]: (m["state"], m.get("publishedAt")) for m in target["auth"].outbox.find({"_id": {"$in": [*sent]}})
    }
    assert messages == {
        "recent": ("pending", None),
        "in a queue for a day": ("pending", None),
        "old": ("published", long_ago),
    }
    applied = {entry["_id"]: entry["appliedAt"] for entry in target["user"].inbox.find()}
    assert applied[1] >= NOW  # known for its full time from now on
    assert applied[2] == long_ago


def test_jobs_of_then_wait_again_with_all_their_attempts(source: Any, make_target: Any, folder: Path) -> None:
    lease = NOW + timedelta(seconds=30)
    running = {"status": "running", "attempt": 3, "progress": 70, "leaseUntil": lease, "error": None}
    done = {"status": "succeeded", "attempt": 1, "progress": 100, "leaseUntil": None, "error": None, "finishedAt": NOW}
    source["qa"].jobs.insert_many([{"_id": "running", **running}, {"_id": "done", **done}])
    with_file, without = ObjectId(), ObjectId()
    exports = [{"_id": export, "format": "pdf", **done} for export in (with_file, without)]
    source["export"].exports.insert_many(exports)
    source.put(f"exports/{with_file}.pdf", b"x")
    take(source.settings, folder)
    target = make_target()
    restore(target.settings, folder)
    waiting = {"status": "queued", "progress": 0, "leaseUntil": None, "error": None}
    assert target["qa"].jobs.find_one({"_id": "running"}) == {"_id": "running", "attempt": 3, "excused": 3, **waiting}
    assert target["qa"].jobs.find_one({"_id": "done"}) == {"_id": "done", **done}
    assert target["export"].exports.find_one({"_id": with_file}) == exports[0]
    again = target["export"].exports.find_one({"_id": without})
    assert again == {"_id": without, "format": "pdf", "attempt": 1, "excused": 1, **waiting}


def test_a_transaction_of_a_killed_process_is_waited_for(source: Any, folder: Path) -> None:
    source["qa"].jobs.insert_one({"_id": 1, "status": "queued"})
    take(source.settings, folder)
    with source.mongo.start_session() as session:
        session.start_transaction()
        source["qa"].jobs.update_one({"_id": 1}, {"$set": {"status": "failed"}}, session=session)
        end = threading.Timer(1.0, session.abort_transaction)
        end.start()
        restore(source.settings, folder, replace=True)
        end.join()
    assert source["qa"].jobs.find_one() == {"_id": 1, "status": "queued"}
