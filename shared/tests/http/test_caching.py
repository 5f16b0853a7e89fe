"""Answers that caches may keep."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from intervai_shared.auth.principal import SCOPE_KEY
from intervai_shared.http.caching import CacheControlMiddleware, Freshness, cacheable_json


def asked(if_none_match: str | None = None) -> Request:
    headers = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    return Request({"type": "http", "headers": headers})


def test_an_answer_names_its_age_and_its_version() -> None:
    answer = cacheable_json(asked(), {"a": [1]}, 300)
    assert (answer.status_code, answer.body) == (200, b'{"a":[1]}')
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["ETag"].startswith('W/"')
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_what_is_only_for_one_person_is_kept_by_their_own_cache_alone() -> None:
    etag = cacheable_json(asked(), {"a": [1]}, 0, scope="private").headers["ETag"]
    same = cacheable_json(asked(etag), {"a": [1]}, 0, scope="private")
    assert (same.status_code, same.headers["Cache-Control"]) == (304, "private, max-age=0")
    assert same.headers["Vary"] == "Accept-Encoding, Authorization"


def test_the_version_follows_the_content_alone() -> None:
    first, same, other = (cacheable_json(asked(), content, 300).headers["ETag"] for content in ([1], [1], [2]))
    assert first == same != other


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{} ,"y"', "*"])
def test_who_holds_this_version_gets_304_without_a_body(form: str) -> None:
    etag = cacheable_json(asked(), [1], 300).headers["ETag"]
    answer = cacheable_json(asked(form.format(etag)), [1], 300)
    assert (answer.status_code, answer.body) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("form", ["", '"x"', "x", '"{}"'])
def test_who_holds_another_version_gets_this_one(form: str) -> None:
    etag = cacheable_json(asked(), [1], 300).headers["ETag"]
    assert cacheable_json(asked(form.format(etag)), [1], 300).status_code == 200


@pytest.mark.parametrize(
    ("freshness", "words"),
    [
        (Freshness(300), "public, max-age=300"),
        (Freshness(0, "private"), "private, max-age=0"),
        (Freshness(0, edge=30), "public, max-age=0, s-maxage=30, must-revalidate"),
        (
            Freshness(300, while_revalidating=60, if_error=86_400),
            "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400",
        ),
    ],
)
def test_how_long_an_answer_may_be_kept_is_said_in_the_words_of_the_standard(freshness: Freshness, words: str) -> None:
    assert str(freshness) == words


async def answered(answer: Response, *, of_somebody: bool = False) -> httpx.Response:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if of_somebody:
            scope[SCOPE_KEY] = object()
        await answer(scope, receive, send)

    transport = httpx.ASGITransport(CacheControlMiddleware(application))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/")


@pytest.mark.parametrize(
    ("said", "status", "goes_out"),
    [
        ({}, 200, "no-store"),
        ({}, 307, "no-store"),
        ({"Cache-Control": "no-cache"}, 200, "no-store"),
        ({"Cache-Control": "max-age=60"}, 200, "no-store"),
        ({"Cache-Control": "public, max-age=60"}, 404, "no-store"),
        ({"Cache-Control": "public, max-age=60", "Set-Cookie": "a=b"}, 200, "no-store"),
        ({"Cache-Control": "public, max-age=60"}, 200, "public, max-age=60"),
        ({"Cache-Control": "public, max-age=60"}, 304, "public, max-age=60"),
        ({"Cache-Control": "Private, max-age=0"}, 200, "Private, max-age=0"),
        ({"Cache-Control": "no-store, no-transform"}, 200, "no-store, no-transform"),
    ],
)
async def test_nobody_keeps_what_is_not_said_to_be_kept(said: dict[str, str], status: int, goes_out: str) -> None:
    assert (await answered(Response(status_code=status, headers=said))).headers["cache-control"] == goes_out


@pytest.mark.parametrize("said", ["public, max-age=60", "private, s-maxage=60"])
async def test_what_needed_a_token_is_kept_by_no_cache_of_many_people(said: str) -> None:
    answer = JSONResponse({}, headers={"Cache-Control": said})
    assert (await answered(answer)).headers["cache-control"] == said
    assert (await answered(answer, of_somebody=True)).headers["cache-control"] == "no-store"
    private = JSONResponse({}, headers={"Cache-Control": "private, max-age=0"})
    assert (await answered(private, of_somebody=True)).headers["cache-control"] == "private, max-age=0"
