"""The worker's job: the file, said to be ready once it is."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from export_service.exports.maker import ExportMaker
from export_service.worker import ExportWorker
from intervai_shared.jobs import OUTAGE_PATIENCE
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database
from intervai_shared.testing import Person

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


async def test_a_file_lies_in_s3_as_a_download_of_its_kind(start: Start, maker: ExportMaker, bucket: Any) -> None:
    kinds = {
        "pdf": ("application/pdf", b"%PDF-"),
        "md": ("text/markdown; charset=utf-8", b"# Ada's interview\n"),
        "json": ("application/json", b"{\n"),
    }
    for kind, (media_type, beginning) in kinds.items():
        export_id = await start(kind)
        await maker.run(export_id)
        (stored,) = bucket.of(export_id)
        assert stored.body.startswith(beginning)
        assert stored.head["ContentType"] == media_type
        name = f"Ada-s-interview.{kind}"
        assert stored.head["ContentDisposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"


async def test_a_finished_export_tells_of_its_file(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, bucket: Any
) -> None:
    export_id = await start("pdf")
    await maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["progress"], export["error"]) == ("ready", 100, None)
    body = bucket.of(export_id)[0].body
    assert (export["fileName"], export["sizeBytes"]) == ("Ada-s-interview.pdf", len(body))
    assert export["sha256"] == hashlib.sha256(body).hexdigest()


async def test_the_key_of_a_file_names_its_content_and_nobody(
    start: Start, maker: ExportMaker, bucket: Any, person: Person, database: Database
) -> None:
    export_id = await start()
    await maker.run(export_id)
    export = await database.exports.find_one({"_id": export_id}) or {}
    (stored,) = bucket.of(export_id)
    assert stored.key == f"exports/{export['contentHash']}/{export_id}.md"
    assert str(person.id) not in stored.key


async def test_a_file_holds_the_questions_of_the_session_that_the_options_ask_for(
    start: Start, maker: ExportMaker, bucket: Any
) -> None:
    everything, narrowed = await start("json"), await start("json", onlyPinned=True, includeNotes=False)
    for export_id in (everything, narrowed):
        await maker.run(export_id)
    questions = [json.loads(bucket.of(export_id)[0].body)["questions"] for export_id in (everything, narrowed)]
    # As the session's list shows them: the pinned first.
    assert [(q["text"], q["notes"]) for q in questions[0]] == [
        ("What is an image?", "My own words."),
        ("What is a container?", ""),
    ]
    assert [(q["text"], q["notes"]) for q in questions[1]] == [("What is an image?", "")]


@pytest.mark.spoils_database
async def test_that_a_file_is_ready_is_an_event_of_the_same_transaction(
    start: Start, maker: ExportMaker, database: Database, person: Person, bucket: Any
) -> None:
    export_id = await start()
    refused = await database.events.create_index("type", unique=True)
    await database.events.insert_one({"type": "export.completed"})
    with pytest.raises(DuplicateKeyError):
        await maker.run(export_id)
    assert (await database.exports.find_one({"_id": export_id}) or {})["status"] == "queued"

    await database.events.drop_index(refused)
    await database.events.delete_many({})
    await maker.run(export_id)
    (event,) = await database.events.find().to_list()
    size = len(bucket.of(export_id)[0].body)
    assert (event["type"], event["aggregateId"]) == ("export.completed", export_id)
    assert event["data"] == {"user": str(person.id), "format": "md", "sizeBytes": size}
    messages = await database.outbox.find({"kind": "event"}).to_list()
    assert [message["eventId"] for message in messages] == [event["_id"]]


async def test_a_message_that_comes_again_makes_nothing_again(
    start: Start, maker: ExportMaker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    first = bucket.of(export_id)
    await maker.run(export_id)
    again = bucket.of(export_id)
    assert [stored.head["LastModified"] for stored in again] == [stored.head["LastModified"] for stored in first]
    assert await database.events.count_documents({}) == 1


async def test_a_run_after_one_that_died_overwrites_its_file(
    start: Start, maker: ExportMaker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    # As a worker leaves it that died after S3 had the file, before Mongo knew of it.
    await database.exports.update_one({"_id": export_id}, {"$set": {"status": "queued"}})
    await database.events.delete_many({})
    await maker.run(export_id)
    assert len(bucket.of(export_id)) == 1
    assert await database.events.count_documents({}) == 1


async def test_a_session_that_was_deleted_meanwhile_ends_the_export_with_a_reason(
    start: Start,
    api: httpx.AsyncClient,
    maker: ExportMaker,
    person: Person,
    session_id: str,
    database: Database,
    bucket: Any,
) -> None:
    export_id = await start()
    assert (await person.http.delete(f"/api/v1/sessions/{session_id}")).status_code == 204
    await maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["error"]) == ("failed", "The session has been deleted.")
    assert bucket.of(export_id) == []
    assert await database.events.count_documents({}) == 0


async def test_a_file_that_takes_too_long_is_not_tried_again(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = await start("pdf")
    monkeypatch.setattr(worker.maker._planner._pool, "_seconds", 0.001)
    await worker.maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["error"]) == ("failed", "The session is too large for such a file.")


async def test_an_attempt_that_died_with_its_file_stored_leaves_none_when_the_session_is_gone(
    start: Start, maker: ExportMaker, database: Database, person: Person, session_id: str, bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    export_id = await start()

    async def dies(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(maker, "_finish", dies)
        with pytest.raises(ConnectionError):
            await maker.run(export_id)
    assert len(bucket.of(export_id)) == 1
    assert (await person.http.delete(f"/api/v1/sessions/{session_id}")).status_code == 204
    await maker.run(export_id)
    export = await database.exports.find_one({"_id": export_id}) or {}
    assert (export["status"], export["attempt"]) == ("failed", 2)
    assert bucket.of(export_id) == []


async def test_without_s3_an_export_waits_and_after_half_an_hour_has_three_attempts(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, database: Database, lost_s3: Any, bucket: Any
) -> None:
    export_id = await start()
    seen = []
    with lost_s3(worker.maker._storage):
        for attempt in range(6):
            if attempt == 3:
                long_ago = utc_now() - 2 * OUTAGE_PATIENCE
                await database.exports.update_one({"_id": export_id}, {"$set": {"createdAt": long_ago}})
            with pytest.raises(Exception, match="put_object"):
                await worker.maker.run(export_id)
            seen.append((await api.get(f"{PATH}/{export_id}")).json()["status"])
    assert seen == ["queued"] * 5 + ["failed"]
    assert "try again later" in (await api.get(f"{PATH}/{export_id}")).json()["error"]
    await worker.maker.run(export_id)  # a late message changes nothing
    assert bucket.of(export_id) == []
    assert await database.events.count_documents({}) == 0


async def test_an_export_is_ready_at_the_attempt_that_finds_s3_again(
    start: Start, api: httpx.AsyncClient, worker: ExportWorker, lost_s3: Any
) -> None:
    export_id = await start()
    with lost_s3(worker.maker._storage), pytest.raises(Exception, match="put_object"):
        await worker.maker.run(export_id)
    await worker.maker.run(export_id)
    assert (await api.get(f"{PATH}/{export_id}")).json()["status"] == "ready"
