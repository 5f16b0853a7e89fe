"""POST /exports: what is written, and what is refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import stamina
from bson import ObjectId
from fastapi import FastAPI

from export_service.exports.service import ACTOR, QUEUE
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, running

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


def body(session_id: str, **fields: Any) -> dict[str, Any]:
    return {"sessionId": session_id, "format": "md", **fields}


async def test_an_export_is_stored_with_the_message_that_has_it_made(start: Start, database: Database) -> None:
    export_id = await start("pdf", onlyPinned=True)
    export = await database.exports.find_one({"_id": export_id})
    assert export is not None
    assert (export["status"], export["format"]) == ("queued", "pdf")
    assert export["options"]["onlyPinned"] is True
    messages = await database.outbox.find().to_list()
    assert [(m["kind"], m["name"], m["queue"], m["args"]) for m in messages] == [
        ("job", ACTOR, QUEUE, [str(export_id)])
    ]


@pytest.mark.spoils_database
async def test_an_export_whose_message_cannot_be_stored_is_not_stored_either(
    api: httpx.AsyncClient, session_id: str, database: Database
) -> None:
    await database.outbox.create_index("name", unique=True)
    await database.outbox.insert_one({"name": ACTOR, "state": "published"})
    assert (await api.post(PATH, json=body(session_id))).status_code == 500
    assert await database.exports.count_documents({}) == 0


async def test_a_session_of_another_person_is_as_missing_as_one_that_never_was(
    app: FastAPI, new_person: NewPerson, session_id: str, database: Database
) -> None:
    stranger = await new_person()
    async with running(app, stranger.tokens["accessToken"]) as api:
        answers = [await api.post(PATH, json=body(wanted)) for wanted in (session_id, str(ObjectId()))]
    assert [answer.status_code for answer in answers] == [404, 404]
    others, missing = ({**answer.json(), "requestId": ""} for answer in answers)
    assert others == missing
    assert await database.exports.count_documents({}) == 0


async def test_while_qa_service_cannot_be_reached_nothing_is_promised(
    api: httpx.AsyncClient, app: FastAPI, session_id: str, database: Database
) -> None:
    assert (await api.get(PATH)).status_code == 200  # the keys to check tokens with are known from here on
    app.state.container.resources.services._http.base_url = "http://127.0.0.1:9"
    with stamina.set_testing(True, attempts=2):
        answer = await api.post(PATH, json=body(session_id))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    assert await database.exports.count_documents({}) == 0


async def test_a_wrong_field_is_named(api: httpx.AsyncClient, database: Database) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"format": "exe"}, "format"),
        ({"format": "PDF"}, "format"),
        ({"sessionId": "ADA"}, "sessionId"),
        ({"sessionId": None}, "sessionId"),
        ({"options": {"onlyPinned": "perhaps"}}, "options.onlyPinned"),
        ({"options": {"onlyPined": True}}, "options.onlyPined"),
        ({"user": "665f1c2e9b1d8a0012345678"}, "user"),
    ]
    for fields, name in wrong:
        answer = await api.post(PATH, json={**body(str(ObjectId())), **fields})
        assert answer.status_code == 422, fields
        assert [error["field"] for error in answer.json()["errors"]] == [name]
    assert await database.exports.count_documents({}) == 0


async def test_the_sixth_export_in_ten_minutes_is_refused_until_a_time_that_is_told(
    limited: None, api: httpx.AsyncClient, session_id: str, database: Database
) -> None:
    wanted = [{"locale": locale, "paper": paper} for paper in ("a4", "letter") for locale in ("en", "de", "fr")]
    answers = [await api.post(PATH, json=body(session_id, options=options)) for options in wanted]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    headers = answers[-1].headers
    assert 0 < int(headers["retry-after"]) <= 600
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("5", "0")
    assert await database.exports.count_documents({}) == 5


async def test_the_limit_of_one_person_is_not_anothers(
    limited: None, start_some: Any, api: httpx.AsyncClient, new_person: NewPerson
) -> None:
    await start_some(5)
    other = await new_person()
    made = {"role": "SRE", "experience": "mid", "topics": [], "generate": False}
    theirs = (await other.http.post("/api/v1/sessions", json=made)).json()["id"]
    token = {"Authorization": f"Bearer {other.tokens['accessToken']}"}
    assert (await api.post(PATH, json=body(theirs), headers=token)).status_code == 202


async def test_past_the_length_of_the_queue_nothing_more_is_promised(
    api: httpx.AsyncClient, app: FastAPI, session_id: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = app.state.container.exports
    monkeypatch.setattr(exports, "_settings", exports._settings.model_copy(update={"queue_limit_exports": 1}))
    await database.outbox.insert_one({"state": "pending", "queue": QUEUE})
    answer = await api.post(PATH, json=body(session_id))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
    assert await database.exports.count_documents({}) == 0
