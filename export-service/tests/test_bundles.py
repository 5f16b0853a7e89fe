"""POST /exports/bundle: several sessions as one archive."""

import io
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from weakref import ref

import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI

from export_service.exports import plans
from export_service.exports.maker import ExportMaker
from export_service.exports.plans import SessionChangedError
from export_service.renderers.content import Content, content_of
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person, running

PATH = "/api/v1/exports"
Bundle = Callable[..., Awaitable[ObjectId]]


@pytest.fixture
async def sessions(person: Person, session_id: str) -> list[str]:
    """Three sessions of the person's; two have the same title, one has questions."""
    ids = [session_id]
    for title in ("面接 / Kōan", "Ada's interview"):
        body = {"title": title, "role": "SRE", "experience": "mid", "topics": ["Go"], "generate": False}
        ids.append((await person.http.post("/api/v1/sessions", json=body)).json()["id"])
    return ids


@pytest.fixture
def bundle(api: httpx.AsyncClient, sessions: list[str]) -> Bundle:
    """Starts a bundle; the id of its record."""

    async def post(kind: str = "md", ids: list[str] | None = None, **options: Any) -> ObjectId:
        body = {"sessionIds": ids or sessions, "format": kind, "options": options}
        answer = await api.post(f"{PATH}/bundle", json=body)
        assert answer.status_code == 202, answer.text
        return ObjectId(answer.json()["id"])

    return post


def unpacked(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("kind", ["md", "pdf"])
async def test_a_bundle_holds_the_files_that_its_sessions_make_alone(
    bundle: Bundle, api: httpx.AsyncClient, maker: ExportMaker, sessions: list[str], bucket: Any, kind: str
) -> None:
    alone = []
    for session in sessions:
        answer = await api.post(PATH, json={"sessionId": session, "format": kind})
        await maker.run(ObjectId(answer.json()["id"]))
        alone.append(bucket.of(answer.json()["id"])[0].body)
    bundle_id = await bundle(kind)
    await maker.run(bundle_id)
    files = unpacked(bucket.of(bundle_id)[0].body)
    assert list(files) == [f"01-Ada-s-interview.{kind}", f"02-面接-Kōan.{kind}", f"03-Ada-s-interview.{kind}"]
    assert list(files.values()) == alone


async def test_a_bundle_is_shown_listed_downloaded_and_deleted_as_any_export(
    bundle: Bundle, api: httpx.AsyncClient, maker: ExportMaker, sessions: list[str], bucket: Any
) -> None:
    bundle_id = await bundle(onlyPinned=True)
    await maker.run(bundle_id)
    (listed,) = (await api.get(PATH)).json()["items"]
    shown = (await api.get(f"{PATH}/{bundle_id}")).json()
    for export in (listed, shown):
        assert (export["sessionId"], export["sessionIds"]) == (None, sessions)
        assert (export["format"], export["of"], export["status"]) == ("zip", "md", "ready")
        assert (export["fileName"], export["options"]["onlyPinned"]) == ("3-interviews.zip", True)
    async with httpx.AsyncClient() as http:
        file = await http.get((await api.get(f"{PATH}/{bundle_id}/download")).headers["location"])
    assert (file.headers["content-type"], len(file.content)) == ("application/zip", shown["sizeBytes"])
    assert len(unpacked(file.content)) == 3
    assert (await api.delete(f"{PATH}/{bundle_id}")).status_code == 204
    assert bucket.of(bundle_id) == []


async def test_an_export_of_one_session_names_no_others(api: httpx.AsyncClient, session_id: str) -> None:
    started = (await api.post(PATH, json={"sessionId": session_id, "format": "md"})).json()
    export = (await api.get(f"{PATH}/{started['id']}")).json()
    assert (export["sessionId"], export["sessionIds"], export["of"]) == (session_id, None, None)


async def test_the_same_sessions_in_the_same_order_are_the_same_bundle_and_the_same_bytes(
    bundle: Bundle, maker: ExportMaker, sessions: list[str], api: httpx.AsyncClient, bucket: Any
) -> None:
    first = await bundle()
    await maker.run(first)
    body = bucket.of(first)[0].body
    assert await bundle() == first
    assert len({first, await bundle(ids=sessions[::-1]), await bundle("json"), await bundle(includeNotes=False)}) == 4
    assert (await api.delete(f"{PATH}/{first}")).status_code == 204
    again = await bundle()
    await maker.run(again)
    assert again != first
    assert bucket.of(again)[0].body == body


async def test_a_bundle_counts_as_one_export(
    limited: None, bundle: Bundle, api: httpx.AsyncClient, sessions: list[str]
) -> None:
    for locale in ("en", "de", "fr", "es", "ja"):
        await bundle(locale=locale)
    refused = await api.post(f"{PATH}/bundle", json={"sessionIds": sessions, "format": "pdf"})
    assert refused.status_code == 429


async def test_a_wrong_field_is_named(api: httpx.AsyncClient, database: Database) -> None:
    one = str(ObjectId())
    wrong: list[tuple[Document, str]] = [
        ({"sessionIds": []}, "sessionIds"),
        ({"sessionIds": [str(ObjectId()) for _ in range(21)]}, "sessionIds"),
        ({"sessionIds": [one, one]}, "sessionIds"),
        ({"sessionIds": ["ADA"]}, "sessionIds.0"),
        ({"sessionIds": one}, "sessionIds"),
        ({"format": "zip"}, "format"),
        ({"options": {"onlyPined": True}}, "options.onlyPined"),
    ]
    for fields, name in wrong:
        answer = await api.post(f"{PATH}/bundle", json={"sessionIds": [one], "format": "md", **fields})
        assert answer.status_code == 422, fields
        assert [error["field"] for error in answer.json()["errors"]] == [name]
    assert await database.exports.count_documents({}) == 0


async def test_with_a_session_of_another_person_there_is_no_bundle(
    app: FastAPI, new_person: NewPerson, sessions: list[str], database: Database
) -> None:
    stranger = await new_person()
    body = {"role": "SRE", "experience": "mid", "topics": [], "generate": False}
    theirs = (await stranger.http.post("/api/v1/sessions", json=body)).json()["id"]
    async with running(app, stranger.tokens["accessToken"]) as api:
        wanted = {"sessionIds": [theirs, sessions[0]], "format": "md"}
        assert (await api.post(f"{PATH}/bundle", json=wanted)).status_code == 404
    assert await database.exports.count_documents({}) == 0


async def test_a_session_that_was_deleted_meanwhile_ends_the_bundle_with_a_reason(
    bundle: Bundle, api: httpx.AsyncClient, maker: ExportMaker, person: Person, sessions: list[str], bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    get, asked = maker._planner._sessions.get, 0

    async def get_and_delete(user: ObjectId, session_id: str) -> Document:
        nonlocal asked
        asked += 1
        if asked == 5:  # the archive is on its way, with one file of three
            assert (await person.http.delete(f"/api/v1/sessions/{sessions[1]}")).status_code == 204
        return await get(user, session_id)

    bundle_id = await bundle()
    monkeypatch.setattr(maker._planner._sessions, "get", get_and_delete)
    await maker.run(bundle_id)
    export = (await api.get(f"{PATH}/{bundle_id}")).json()
    assert (export["status"], export["error"]) == ("failed", "A session of the bundle has been deleted.")
    assert bucket.of(bundle_id) == []


async def test_a_session_that_changes_while_its_bundle_is_made_has_it_made_again(
    bundle: Bundle, maker: ExportMaker, person: Person, sessions: list[str], database: Database, bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    get, asked = maker._planner._sessions.get, 0

    async def get_and_rename(user: ObjectId, session_id: str) -> Document:
        nonlocal asked
        asked += 1
        if asked == 5:
            await person.http.patch(f"/api/v1/sessions/{sessions[1]}", json={"title": "Renamed"})
        return await get(user, session_id)

    bundle_id = await bundle()
    before = (await database.exports.find_one({"_id": bundle_id}) or {})["contentHash"]
    monkeypatch.setattr(maker._planner._sessions, "get", get_and_rename)
    with pytest.raises(SessionChangedError):
        await maker.run(bundle_id)
    assert bucket.of(bundle_id) == []
    await maker.run(bundle_id)
    (stored,) = bucket.of(bundle_id)
    assert list(unpacked(stored.body))[1] == "02-Renamed.md"
    after = (await database.exports.find_one({"_id": bundle_id}) or {})["contentHash"]
    assert after != before
    assert stored.key == f"exports/{after}/{bundle_id}.zip"


async def test_one_session_at_a_time_is_in_memory(
    bundle: Bundle, maker: ExportMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ref[Content]] = []

    def watched(answer: Document, options: Document) -> Content:
        assert [content for content in seen if content() is not None] == []
        content = replace(content_of(answer, options))
        seen.append(ref(content))
        return content

    bundle_id = await bundle()
    monkeypatch.setattr(plans, "content_of", watched)
    await maker.run(bundle_id)
    assert len(seen) == 6  # read to know what is in it, then to make it
