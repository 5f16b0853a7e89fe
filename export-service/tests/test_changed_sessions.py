"""A session that changes between the request and its file: the record tells what is in the file, at any time."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.exports.maker import ExportMaker
from export_service.exports.sessions import SessionSource
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.storage import FileStorage
from intervai_shared.testing import Person

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
def rename(person: Person, session_id: str) -> Callable[[str], Awaitable[None]]:
    """Gives the session another title."""

    async def send(title: str) -> None:
        answer = await person.http.patch(f"/api/v1/sessions/{session_id}", json={"title": title})
        assert answer.status_code == 200, answer.text

    return send


async def record(database: Database, export_id: ObjectId) -> Document:
    return await database.exports.find_one({"_id": export_id}) or {}


async def test_the_file_lies_under_what_is_in_it_and_the_record_says_so_before_there_is_one(
    start: Start, maker: ExportMaker, database: Database, bucket: Any, rename: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = await start()
    before = await record(database, export_id)
    await rename("Later")
    put, seen = FileStorage.put_stream, []

    async def look_and_put(*args: Any) -> Any:
        seen.append((await record(database, export_id))["contentHash"])
        return await put(*args)

    monkeypatch.setattr(FileStorage, "put_stream", look_and_put)
    await maker.run(export_id)
    after = await record(database, export_id)
    assert seen == [after["contentHash"]] != [before["contentHash"]]
    assert after["dedupe"] == after["contentHash"]
    (stored,) = bucket.of(export_id)
    assert stored.key == f"exports/{after['contentHash']}/{export_id}.md"
    assert await start() == export_id  # it stands for what it holds
    await rename("Ada's interview")
    assert await start() != export_id  # and no longer for what was asked for


async def test_where_another_export_has_that_content_already_both_are_made_and_the_other_stands_for_it(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, database: Database, bucket: Any, rename: Any
) -> None:
    early = await start()
    await rename("Later")
    late = await start()
    for export_id in (early, late):
        await maker.run(export_id)
    one, other = [await record(database, export_id) for export_id in (early, late)]
    assert one["contentHash"] == other["contentHash"] == other["dedupe"]
    assert "dedupe" not in one
    assert [len(bucket.of(export_id)) for export_id in (early, late)] == [1, 1]
    assert (await api.delete(f"{PATH}/{early}")).status_code == 204
    assert [len(bucket.of(export_id)) for export_id in (early, late)] == [0, 1]
    assert await start() == late


async def test_the_file_of_an_attempt_before_the_change_goes(
    start: Start, maker: ExportMaker, bucket: Any, rename: Any
) -> None:
    export_id = await start()

    async def dies(*_: Any) -> None:
        raise ConnectionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "_finish", dies)
        with pytest.raises(ConnectionError):
            await maker.run(export_id)
    (before,) = bucket.of(export_id)
    await rename("Later")
    await maker.run(export_id)
    (after,) = bucket.of(export_id)
    assert after.key != before.key
    assert after.body.startswith(b"# Later")


async def test_one_that_is_deleted_meanwhile_stays_deleted(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, database: Database, bucket: Any, rename: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    export_id = await start()
    await rename("Later")
    get = SessionSource.get

    async def get_and_delete(*args: Any) -> Any:
        session = await get(*args)
        assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204
        return session

    monkeypatch.setattr(SessionSource, "get", get_and_delete)
    await maker.run(export_id)
    assert bucket.of(export_id) == []
    assert await database.exports.count_documents({}) == 0
