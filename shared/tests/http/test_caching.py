"""Answers that caches may keep."""

import pytest
from starlette.requests import Request

from intervai_shared.http.caching import cacheable_json


def asked(if_none_match: str | None = None) -> Request:
    headers = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    return Request({"type": "http", "headers": headers})


def test_an_answer_names_its_age_and_its_version() -> None:
    answer = cacheable_json(asked(), {"a": [1]}, 300)
    assert (answer.status_code, answer.body) == (200, b'{"a":[1]}')
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["ETag"].startswith('"')


def test_what_is_only_for_one_person_is_kept_by_their_own_cache_alone() -> None:
    etag = cacheable_json(asked(), {"a": [1]}, 0, scope="private").headers["ETag"]
    same = cacheable_json(asked(etag), {"a": [1]}, 0, scope="private")
    assert (same.status_code, same.headers["Cache-Control"]) == (304, "private, max-age=0")


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
