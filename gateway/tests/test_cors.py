"""Which pages of other origins may ask, and what they may see (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from typing import Any, Protocol

import httpx
import pytest

APP = "https://app.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,x-csrf-token"}


class Edge(Protocol):
    public: httpx.Client
    secure: httpx.Client
    backends: dict[str, list[Any]]


def words(answer: httpx.Response, header: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers.get(header, "").split(",")} - {""}


@pytest.mark.parametrize("origin", [APP, "http://localhost:5173"])
def test_a_page_of_a_named_origin_may_ask_and_read(furnished: Edge, origin: str) -> None:
    answer = furnished.secure.get("/api/v1/sessions", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "origin" in words(answer, "Vary")
    readable = words(answer, "Access-Control-Expose-Headers")
    assert {"x-request-id", "retry-after", "ratelimit-remaining", "etag", "location"} <= readable


def test_a_preflight_is_answered_here(furnished: Edge) -> None:
    before = [len(item.seen) for group in furnished.backends.values() for item in group]
    answer = furnished.secure.options("/api/v1/users/me", headers={"Origin": APP, **PREFLIGHT})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "patch" in words(answer, "Access-Control-Allow-Methods")
    assert {"authorization", "idempotency-key", "x-csrf-token"} <= words(answer, "Access-Control-Allow-Headers")
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert [len(item.seen) for group in furnished.backends.values() for item in group] == before


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"]
)
def test_others_may_not(furnished: Edge, origin: str) -> None:
    answer = furnished.secure.get("/api/v1/sessions", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "origin" in words(answer, "Vary")  # or a cache would give it to the named ones
    preflight = furnished.secure.options("/api/v1/users/me", headers={"Origin": origin, **PREFLIGHT})
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_by_default_no_origin_may(edge: Edge) -> None:
    for origin in (APP, "null", "", "*"):
        answer = edge.public.get("/api/v1/sessions", headers={"Origin": origin})
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_refusal_of_the_gateway_can_be_read_too(furnished: Edge) -> None:
    answer = furnished.secure.post("/api/v1/sessions", content=b"x" * 1_048_577, headers={"Origin": APP})
    assert answer.status_code == 413
    assert answer.headers["Access-Control-Allow-Origin"] == APP
