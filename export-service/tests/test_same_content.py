"""The same content, format and options: the same export, answered at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.container import open_container
from export_service.exports.maker import ExportMaker
from export_service.exports.schemas import ExportRequest
from export_service.settings import ExportSettings
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.query_checks import Recorder
from intervai_shared.settings import load_settings
from intervai_shared.testing import Person

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
def post(api: httpx.AsyncClient, session_id: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Asks for an export of the session."""

    async def send(kind: str = "md", **options: Any) -> httpx.Response:
        return await api.post(PATH, json={"sessionId": session_id, "format": kind, "options": options})

    return send


async def test_a_waiting_and_a_ready_export_are_answered_again(
    post: Any, maker: ExportMaker, database: Database
) -> None:
    first, second = (await post()).json(), (await post()).json()
    assert first == second
    assert first["status"] == "queued"
    await maker.run(ObjectId(first["id"]))
    again = await post()
    assert (again.status_code, again.json()) == (202, {"id": first["id"], "status": "ready"})
    assert await database.exports.count_documents({}) == await database.outbox.count_documents({"kind": "job"}) == 1


async def test_another_format_or_option_is_another_export(start: Start, database: Database) -> None:
    wanted: list[Document] = [{}, {"kind": "json"}, {"onlyPinned": True}, {"includeNotes": False}, {"locale": "de"}]
    assert len({await start(**one) for one in wanted}) == len(wanted)


async def test_a_hundred_requests_at_once_make_one_export_and_count_once(
    limited: None, post: Any, database: Database
) -> None:
    answers = await asyncio.gather(*(post() for _ in range(100)))
    assert Counter(answer.status_code for answer in answers) == {202: 100}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await database.exports.count_documents({}) == await database.outbox.count_documents({}) == 1
    others = [await post(locale=locale, paper="letter") for locale in ("en", "de", "fr", "es", "ja")]
    assert [answer.status_code for answer in others] == [202] * 4 + [429]
    assert (await post()).status_code == 202


async def test_processes_that_are_asked_at_once_make_one_export_and_count_once(
    limited: None, database: Database, person: Person, session_id: str
) -> None:
    settings, wanted = load_settings(ExportSettings), ExportRequest(session_id=session_id, format="md")
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(open_container(settings)) for _ in range(4)]
        found = await asyncio.gather(*(each.exports.start(person.id, wanted) for each in processes))
        assert len({export["_id"] for export in found}) == 1
        assert await database.exports.count_documents({}) == await database.outbox.count_documents({}) == 1
        limits = processes[0].resources.limits
        for _ in range(4):
            await limits.hit("exports", settings.rate_limit_exports, str(person.id))
        with pytest.raises(TooManyRequestsError):
            await limits.hit("exports", settings.rate_limit_exports, str(person.id))


async def test_when_the_limit_is_used_up_nothing_is_stored(limited: None, post: Any, database: Database) -> None:
    wanted = [{"locale": locale, "paper": paper} for paper in ("a4", "letter") for locale in ("en", "de", "fr", "es")]
    answers = await asyncio.gather(*(post(**options) for options in wanted))
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: 3}
    assert await database.exports.count_documents({}) == await database.outbox.count_documents({}) == 5


async def test_a_session_that_has_changed_makes_a_new_export(
    start: Start, maker: ExportMaker, person: Person, session_id: str, bucket: Any
) -> None:
    before = await start()
    await maker.run(before)
    assert (await person.http.patch(f"/api/v1/sessions/{session_id}", json={"title": "Later"})).status_code == 200
    after = await start()
    await maker.run(after)
    assert before != after
    bodies = [bucket.of(export_id)[0].body for export_id in (before, after)]
    assert [body.splitlines()[0] for body in bodies] == [b"# Ada's interview", b"# Later"]


@pytest.mark.parametrize(
    "fate",
    [
        {"status": "failed"},
        {"status": "cancelled"},
        {"status": "succeeded", "finishedAt": utc_now() - timedelta(days=7)},
    ],
    ids=["failed", "cancelled", "expired"],
)
async def test_an_export_that_has_no_file_any_more_is_replaced(
    start: Start, api: httpx.AsyncClient, database: Database, fate: Document
) -> None:
    dead = await start()
    await database.exports.update_one({"_id": dead}, {"$set": fate})
    fresh = await start()
    assert fresh != dead
    assert await start() == fresh
    listed = (await api.get(PATH)).json()["items"]
    assert [item["id"] for item in listed] == [str(fresh), str(dead)]
    assert listed[0]["contentHash"] == listed[1]["contentHash"]


async def test_one_that_was_deleted_is_made_again_under_a_name_of_its_own(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, bucket: Any
) -> None:
    first = await start()
    await maker.run(first)
    assert (await api.delete(f"{PATH}/{first}")).status_code == 204
    second = await start()
    await maker.run(second)
    assert (bucket.of(first), len(bucket.of(second))) == ([], 1)


async def test_one_that_cannot_be_deleted_now_is_answered_to_nobody(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, app: Any, lost_s3: Any
) -> None:
    export_id = await start()
    await maker.run(export_id)
    with lost_s3(app.state.container.exports._storage):
        assert (await api.delete(f"{PATH}/{export_id}")).status_code == 503
    assert await start() != export_id


async def test_reads_and_a_repeated_request_take_one_query_each(
    recorder: Recorder, start: Start, api: httpx.AsyncClient
) -> None:
    export_id = await start()
    found = []
    for ask in (start, lambda: api.get(f"{PATH}/{export_id}"), lambda: api.get(PATH)):
        recorder.commands.clear()
        await ask()
        found.append([next(iter(command)) for command in recorder.commands])
    assert found == [["find"]] * 3
