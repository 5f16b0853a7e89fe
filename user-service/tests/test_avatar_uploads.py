"""Promises of `POST /api/v1/users/me/avatar`: a form that the real S3 takes for one picture, and for nothing else."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from intervai_shared.mongo import Database
from intervai_shared.testing import Person
from user_service.container import UserContainer

PATH = "/api/v1/users/me/avatar"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]
Send = Callable[..., Awaitable[httpx.Response]]
pytestmark = pytest.mark.usefixtures("avatar_files")


async def begun(http: httpx.AsyncClient, size: int = 1000, media_type: str = "image/png") -> dict[str, Any]:
    answer = await http.post(PATH, json={"contentType": media_type, "sizeBytes": size})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_form_takes_the_file_that_was_announced(http: httpx.AsyncClient, send_form: Send, s3: Any) -> None:
    upload = await begun(http)
    assert set(upload) == {"uploadId", "url", "method", "fields", "expiresAt"}
    assert upload["method"] == "POST"
    in_five_minutes = datetime.now(UTC) + timedelta(minutes=5)
    assert abs(datetime.fromisoformat(upload["expiresAt"]) - in_five_minutes) < timedelta(minutes=1)
    assert (await send_form(upload, b"x" * 1000)).is_success
    stored = s3.object(upload["fields"]["key"])
    assert (stored["Body"], stored["ContentType"]) == (b"x" * 1000, "image/png")


@pytest.mark.parametrize(
    ("size", "fields"),
    [
        (1001, {}),
        (3_000_000, {}),
        (0, {}),
        (10, {"Content_Type": "text/html"}),
        (10, {"Content_Type": "image/svg+xml"}),
        (10, {"Content_Type": "image/jpeg"}),
        (10, {"key": "avatars/somebody-elses"}),
        (10, {"x_amz_signature": "0" * 64}),
    ],
)
async def test_s3_itself_refuses_another_size_type_or_key(
    http: httpx.AsyncClient, send_form: Send, s3: Any, size: int, fields: dict[str, str]
) -> None:
    upload = await begun(http)
    assert (await send_form(upload, b"x" * size, **fields)).status_code in {400, 403}
    assert s3.object(upload["fields"]["key"]) is None
    assert s3.object("avatars/somebody-elses") is None


async def test_s3_refuses_a_form_that_has_expired(start: Start, send_form: Send, s3: Any) -> None:
    http, _ = await start(AVATAR_UPLOAD_SECONDS="1")
    upload = await begun(http)
    await asyncio.sleep(2.5)  # S3 counts whole seconds, by its own clock
    assert (await send_form(upload, b"x")).status_code == 403
    assert s3.object(upload["fields"]["key"]) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contentType": "image/svg+xml", "sizeBytes": 10}, "contentType"),
        ({"contentType": "text/html", "sizeBytes": 10}, "contentType"),
        ({"contentType": "image/png", "sizeBytes": 2 * 1_048_576 + 1}, "sizeBytes"),
        ({"contentType": "image/png", "sizeBytes": 10**30}, "sizeBytes"),
        ({"contentType": "image/png", "sizeBytes": 0}, "sizeBytes"),
        ({"contentType": "image/png"}, "sizeBytes"),
        ({"contentType": "image/png", "sizeBytes": 10, "key": "avatars/x"}, "key"),
    ],
)
async def test_what_is_no_small_picture_gets_no_form(
    http: httpx.AsyncClient, database: Database, body: dict[str, Any], field: str
) -> None:
    answer = await http.post(PATH, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await database.avatars.count_documents({}) == 0


async def test_the_largest_picture_that_is_allowed_goes_through(http: httpx.AsyncClient, send_form: Send) -> None:
    upload = await begun(http, size=2 * 1_048_576)
    assert (await send_form(upload, b"x" * (2 * 1_048_576))).is_success


async def test_a_key_names_nobody_and_nobody_guesses_it(http: httpx.AsyncClient, person: Person) -> None:
    keys = [(await begun(http))["fields"]["key"] for _ in range(2)]
    assert keys[0] != keys[1]
    for key in keys:
        assert re.fullmatch("avatars/uploads/[0-9a-f]{32}", key)
        assert str(person.id) not in key


async def test_the_same_idempotency_key_gives_the_same_form(http: httpx.AsyncClient, database: Database) -> None:
    body = {"contentType": "image/png", "sizeBytes": 10}
    answers = [await http.post(PATH, json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await database.avatars.count_documents({}) == 1


async def test_uploads_of_a_person_are_limited(start: Start) -> None:
    http, _ = await start(RATE_LIMIT_SCALE="1", RATE_LIMIT_AVATARS="2/hour")
    body = {"contentType": "image/png", "sizeBytes": 10}
    statuses = [(await http.post(PATH, json=body)).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
