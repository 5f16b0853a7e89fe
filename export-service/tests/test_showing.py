"""GET /exports and DELETE: one's own only, page by page."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from bson import ObjectId

from export_service.exports.maker import ExportMaker
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


async def pages(api: httpx.AsyncClient, limit: int) -> list[list[str]]:
    """The ids of each page."""
    found: list[list[str]] = []
    cursor = None
    while cursor or not found:
        answer = (await api.get(PATH, params={"limit": limit, **({"cursor": cursor} if cursor else {})})).json()
        found.append([item["id"] for item in answer["items"]])
        cursor = answer["nextCursor"]
    return found


async def test_the_list_shows_the_newest_first_and_each_export_once(start_some: Any, api: httpx.AsyncClient) -> None:
    newest_first = [str(export_id) for export_id in await start_some(5)][::-1]
    assert await pages(api, 2) == [newest_first[:2], newest_first[2:4], newest_first[4:]]


async def test_exports_of_one_moment_are_not_lost_between_pages(
    start_some: Any, api: httpx.AsyncClient, database: Database
) -> None:
    ids = {str(export_id) for export_id in await start_some(4)}
    await database.exports.update_many({}, {"$set": {"createdAt": datetime(2026, 3, 5, tzinfo=UTC)}})
    found = await pages(api, 1)
    assert [len(page) for page in found] == [1, 1, 1, 1]
    assert {page[0] for page in found} == ids


async def test_a_last_page_that_is_full_has_no_next(start_some: Any, api: httpx.AsyncClient) -> None:
    await start_some(2)
    assert [len(page) for page in await pages(api, 2)] == [2]


async def test_a_page_that_cannot_be_is_refused(api: httpx.AsyncClient) -> None:
    for params in ({"cursor": "bm9uZQ"}, {"limit": 0}, {"limit": 101}):
        assert (await api.get(PATH, params=params)).status_code == 422, params


async def test_nobody_else_sees_an_export_or_can_remove_it(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, new_person: NewPerson, bucket: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    stranger = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    for method, way in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        answer = await api.request(method, f"{PATH}/{export_id}{way}", headers=stranger)
        assert answer.status_code == 404, (method, way)
    assert (await api.get(PATH, headers=stranger)).json()["items"] == []
    assert len(bucket.of(export_id)) == 1
    assert (await api.get(f"{PATH}/{export_id}")).json()["status"] == "ready"


async def test_a_waiting_export_shows_no_file(start: Start, api: httpx.AsyncClient, session_id: str) -> None:
    export_id = await start("json")
    export = (await api.get(f"{PATH}/{export_id}")).json()
    assert (export["status"], export["progress"], export["sessionId"]) == ("queued", 0, session_id)
    assert {export[name] for name in ("downloadUrl", "expiresAt", "fileName", "sizeBytes", "sha256", "error")} == {None}
    download = await api.get(f"{PATH}/{export_id}/download")
    assert download.status_code == 409
    assert "queued" in download.json()["detail"]


async def test_a_removed_export_leaves_neither_file_nor_record(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    assert len(bucket.of(export_id)) == 1
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204
    assert bucket.of(export_id) == []
    assert await database.exports.count_documents({}) == 0
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 404


async def test_a_removed_export_that_was_waiting_is_never_made(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, database: Database, bucket: Any
) -> None:
    export_id = await start()
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204
    await maker.run(export_id)
    assert bucket.of(export_id) == []
    assert await database.events.count_documents({}) == 0


async def test_while_s3_is_down_nothing_is_forgotten_and_the_removal_can_be_repeated(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, bucket: Any, app: Any, lost_s3: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    with lost_s3(app.state.container.exports._storage):
        refused = await api.delete(f"{PATH}/{export_id}")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert (await api.get(f"{PATH}/{export_id}")).json()["status"] == "ready"
    assert (await api.delete(f"{PATH}/{export_id}")).status_code == 204
    assert bucket.of(export_id) == []
