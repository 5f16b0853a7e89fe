"""Every error of a request is an RFC 9457 problem, with the request's id in body and header, and says no more than it
should."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import pymongo.errors
import pytest
from fastapi import APIRouter, Header, HTTPException, Query, Request
from pydantic import Field, StringConstraints, ValidationError
from pymongo import AsyncMongoClient

from intervai_shared import redis as redis_module
from intervai_shared.errors import ConflictError, ForbiddenError, NotFoundError, TooManyRequestsError
from intervai_shared.models import InputModel, Text
from intervai_shared.settings import ServiceSettings

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
ID = "request-0123456789"
router = APIRouter()


class Topics(InputModel):
    title: Annotated[Text, StringConstraints(max_length=60)]
    topics: Annotated[list[Text], Field(max_length=20)]


@router.post("/topics")
async def write_topics(body: Topics, limit: int = Query(20, le=100), x_mode: int = Header(1)) -> int:
    return len(body.topics) + limit + x_mode


@router.get("/raise")
async def raise_it(what: str, request: Request) -> None:
    if what == "redis":
        await request.app.state.dead_redis.ping()
    if what == "mongo":
        async with AsyncMongoClient[Any]("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50) as client:
            await client.admin.command("ping")
    raise {
        "conflict": ConflictError("It is running.", jobId="j1"),
        "forbidden": ForbiddenError(),
        "limited": TooManyRequestsError(headers={"Retry-After": "7"}),
        "http": HTTPException(418, "short and stout"),
        "bug": RuntimeError("secret-password-123 in a bug"),
        "write": pymongo.errors.OperationFailure("secret-password-123", 11000),
    }.get(what, NotFoundError())


@pytest.fixture
async def client(serve: Serve) -> httpx.AsyncClient:
    return await serve(router)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The body, after a look at what holds for all problems."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"].startswith("urn:intervai:problem:")
    assert body["title"]
    assert body["instance"] == answer.request.url.path
    assert body["requestId"] == answer.headers["X-Request-Id"]
    return body


async def test_an_error_of_ours_has_its_status_type_title_detail_and_more(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raise?what=conflict", headers={"X-Request-Id": ID})
    assert problem(answer) == {
        "type": "urn:intervai:problem:conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "It is running.",
        "instance": "/raise",
        "requestId": ID,
        "jobId": "j1",
    }


async def test_a_detail_that_is_not_there_is_left_out_and_headers_are_kept(client: httpx.AsyncClient) -> None:
    assert "detail" not in problem(await client.get("/raise?what=forbidden"))
    limited = await client.get("/raise?what=limited")
    assert (problem(limited)["status"], limited.headers["Retry-After"]) == (429, "7")


async def test_what_the_router_and_the_framework_refuse_is_a_problem_too(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/not-here"))["type"] == "urn:intervai:problem:not-found"
    answer = await client.delete("/topics")
    assert (problem(answer)["title"], answer.headers["Allow"]) == ("Method Not Allowed", "POST")
    assert problem(await client.get("/raise?what=http"))["detail"] == "short and stout"


async def test_each_wrong_field_is_named_as_the_client_wrote_it(client: httpx.AsyncClient) -> None:
    body = {"topics": ["a", 5], "tittle": "x"}
    answer = await client.post("/topics", params={"limit": 101}, headers={"X-Mode": "fast"}, json=body)
    problems = problem(answer)
    assert problems["status"] == 422
    assert {item["field"] for item in problems["errors"]} == {
        "query.limit",
        "header.x-mode",
        "title",
        "topics.1",
        "tittle",
    }
    assert all(item["message"] for item in problems["errors"])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b'{"title": "x"', b"\xff\xfe", b"[" * 100_000, b'{"title": NaN}']
)
async def test_a_body_that_is_no_object_of_ours_is_the_clients_error(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/topics", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer)["status"] in {400, 422}


@pytest.mark.parametrize(
    "text",
    ['{"title": "a\\ud800", "topics": []}', '{"title": "\\u0000", "topics": []}', '{"\\ud800": 1, "topics": []}'],
)
async def test_text_that_cannot_be_stored_is_the_clients_error(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.post("/topics", content=text, headers={"Content-Type": "application/json"})
    assert problem(answer)["status"] == 422


async def test_a_text_is_counted_in_characters_and_a_list_in_items(client: httpx.AsyncClient) -> None:
    answer = await client.post("/topics", json={"title": "x" * 61, "topics": ["a"] * 21})
    messages = {item["field"]: item["message"] for item in problem(answer)["errors"]}
    assert "60 characters" in messages["title"]
    assert "20 items" in messages["topics"]


async def test_what_a_wrong_field_held_is_not_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/topics", json={"title": ["my-secret-password"], "topics": "my-secret-password"})
    assert answer.status_code == 422
    assert "my-secret-password" not in answer.text


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused(
    client: httpx.AsyncClient, settings: ServiceSettings, declared: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * (settings.max_body_bytes // 10)

    content = b"x" * (settings.max_body_bytes + 1) if declared else chunks()
    answer = await client.post("/topics", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer)["type"] == "urn:intervai:problem:content-too-large"
    assert answer.status_code == 413


async def test_a_body_of_just_the_limit_is_read(client: httpx.AsyncClient, settings: ServiceSettings) -> None:
    content = b'{"topics": [], "title": "x"}'.ljust(settings.max_body_bytes)
    answer = await client.post("/topics", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


async def test_a_path_may_take_larger_bodies_than_the_others(serve: Serve, settings: ServiceSettings) -> None:
    larger = 3 * settings.max_body_bytes
    client = await serve(router, body_bytes={"/topics": larger})
    headers = {"Content-Type": "application/json"}
    content = b'{"topics": [], "title": "x"}'.ljust(larger)
    assert (await client.post("/topics", content=content, headers=headers)).status_code == 200
    answer = await client.post("/topics", content=content + b" ", headers=headers)
    assert (problem(answer)["status"], problem(answer)["detail"]) == (413, f"The body may have {larger} bytes.")
    assert (await client.post("/raise", content=content, headers=headers)).status_code == 413


@pytest.mark.parametrize("part", ["mongo", "redis"])
async def test_a_part_that_is_down_is_503_with_a_time_to_come_back(
    client: httpx.AsyncClient, without_redis: ServiceSettings, part: str
) -> None:
    dead = redis_module.connect(without_redis)
    client._transport.app.state.dead_redis = dead  # type: ignore[attr-defined]
    answer = await client.get("/raise", params={"what": part})
    await dead.aclose()
    assert (problem(answer)["status"], answer.headers["Retry-After"]) == (503, "2")
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("what", ["bug", "write"])
async def test_an_unexpected_exception_is_500_without_its_text(client: httpx.AsyncClient, what: str) -> None:
    answer = await client.get("/raise", params={"what": what}, headers={"X-Request-Id": ID})
    assert problem(answer)["requestId"] == ID
    assert answer.status_code == 500
    for told in ("secret-password-123", "RuntimeError", "OperationFailure", "Traceback", ".py"):
        assert told not in answer.text


async def test_a_path_that_is_no_utf8_is_answered_like_any_unknown_one(client: httpx.AsyncClient) -> None:
    for path in ("/%ff%fe", "/%ed%a0%80", "/%00"):
        answer = await client.get(path)
        assert answer.status_code == 401, path
        assert json.loads(answer.content)["status"] == 401


def test_a_lone_surrogate_is_refused_by_the_model_itself() -> None:
    with pytest.raises(ValidationError):
        Topics(title="a\ud800", topics=[])
