"""What each public route says about keeping its answers, and the edge of deploy/cdn before the suite's gateway."""

import asyncio
import os
from collections.abc import AsyncIterator

import httpx
import pytest

from intervai_shared.testing import NewPerson, Person
from tests.cdn.nginx import EDGE, needs_nginx, running_nginx
from tests.e2e.routes import Route, all_routes

#: The only answers that a cache may give to more than one person.
FOR_EVERYBODY = {
    "GET /.well-known/jwks.json",
    "GET /api/v1/analytics/trending",
    "GET /api/v1/exports/keys",
    "GET /api/v1/users/erasures/keys",
    "GET /api/v1/shared/sessions/{token}",
    "GET /docs",
    "GET /docs/style.css",
    "GET /openapi.json",
}
#: They do not end; what they say is asked for by their headers alone.
STREAMS = ("/events", "/stream")
ANY_ID = "665f1c2e9b1d8a0012345678"
SESSION = {"role": "Cook", "experience": "junior", "topics": ["Soup"], "generate": False}


class Ids(dict[str, str]):
    """An id for every path parameter, also of what there is none of."""

    def __missing__(self, name: str) -> str:
        return ANY_ID


@pytest.fixture
async def ids(person: Person) -> Ids:
    """Some things of `person`, by the name of their path parameter; no job is needed for them."""
    session = (await person.http.post("/api/v1/sessions", json=SESSION)).json()
    path = f"/api/v1/sessions/{session['id']}"
    question = (await person.http.post(f"{path}/questions", json={"text": "Why?"})).json()
    share = (await person.http.post(f"{path}/shares", json={})).json()
    collection = (await person.http.post("/api/v1/collections", json={"name": "Mine"})).json()
    recipe = {"name": "Mine", "role": "Cook", "experience": "junior", "topics": []}
    template = (await person.http.post("/api/v1/templates", json=recipe)).json()
    async with asyncio.timeout(60):
        for made in ("/api/v1/users/me", "/openapi.json"):  # a worker makes the one, the services tell the other
            while (await person.http.get(made)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    return Ids(
        session_id=session["id"],
        question_id=question["id"],
        share_id=share["id"],
        token=share["token"],
        collection_id=collection["id"],
        template_id=template["id"],
        user_id=str(person.id),
    )


def public_routes() -> list[Route]:
    return [route for route in all_routes() if not route.is_internal]


def readable() -> list[Route]:
    return [route for route in public_routes() if route.method == "GET" and not route.path.endswith(STREAMS)]


def words_of(answer: httpx.Response) -> set[str]:
    return {word.partition("=")[0].strip() for word in answer.headers.get("cache-control", "").split(",")}


async def headers_of(client: httpx.AsyncClient, route: Route, ids: Ids) -> httpx.Response:
    """The beginning of an answer: enough of a stream."""
    body = {"json": {}} if route.body else {}
    async with client.stream(route.method, route.path.format_map(ids), **body) as answer:
        return answer


async def test_each_answer_says_what_may_be_kept_and_nothing_of_a_person_is_for_everybody(
    person: Person, gateway: httpx.AsyncClient, ids: Ids
) -> None:
    kept, good = set(), 0
    # What ends the log-in or the account comes last.
    for route in sorted(public_routes(), key=lambda route: (route.method != "GET", "/auth/" in route.path)):
        for client in (gateway, person.http):
            answer = await headers_of(client, route, ids)
            words = words_of(answer)
            assert words & {"public", "private", "no-store"}, (route, answer.status_code, words)
            if "public" in words:
                assert str(route) in FOR_EVERYBODY
                assert answer.status_code == 200, route
                assert "set-cookie" not in answer.headers
                kept.add(str(route))
            elif "no-store" not in words:
                assert "authorization" in answer.headers["vary"].lower(), route
            good += answer.is_success
    assert kept == FOR_EVERYBODY
    assert good >= 40


@pytest.fixture
async def edge() -> AsyncIterator[httpx.AsyncClient]:
    """A client of an edge before the suite's gateway."""
    origin = httpx.URL(os.environ["GATEWAY_URL"])
    with running_nginx(EDGE, ORIGIN=f"{origin.host}:{origin.port}") as running:
        async with httpx.AsyncClient(base_url=running.url, timeout=30) as client:
            yield client


@needs_nginx
async def test_two_people_get_from_the_edge_what_is_for_everybody_and_never_what_is_the_others(
    edge: httpx.AsyncClient, person: Person, new_person: NewPerson, ids: Ids
) -> None:
    stranger = await new_person()
    tokens = {each.id: {"Authorization": f"Bearer {each.tokens['accessToken']}"} for each in (person, stranger)}
    walked = shown = 0
    for route in readable():
        path = route.path.format_map(ids)
        asked = [None, person.id, stranger.id, person.id, None]
        answers = [await edge.get(path, headers=tokens.get(who, {})) for who in asked]
        happened = [answer.headers["x-cache"] for answer in answers]
        if str(route) in FOR_EVERYBODY:
            assert happened == ["MISS", "HIT", "HIT", "HIT", "HIT"], route
            assert len({answer.content for answer in answers}) == 1, route
            continue
        assert not set(happened) & {"HIT", "STALE", "UPDATING", "REVALIDATED"}, (route, happened)
        walked += 1
        nobody, mine, others, again, nobody_again = answers
        assert mine.status_code == again.status_code, route
        if not route.is_public:
            assert nobody.status_code == nobody_again.status_code == 401, route
        if mine.is_success and "{" in route.path:
            shown += 1
            assert others.status_code == 404 or "{token}" in route.path, route
    assert walked >= 40
    assert shown >= 5


@needs_nginx
async def test_the_edge_asks_by_version_and_mixes_no_encodings(edge: httpx.AsyncClient) -> None:
    bodies = {}
    for encoding in ("identity", "gzip"):
        first, second = [await edge.get("/openapi.json", headers={"Accept-Encoding": encoding}) for _ in range(2)]
        assert second.headers["x-cache"] == "HIT"
        assert first.headers.get("content-encoding", "identity") == encoding
        assert second.headers.get("content-encoding", "identity") == encoding
        assert "accept-encoding" in first.headers["vary"].lower()
        bodies[encoding] = second.json()
        known = {"Accept-Encoding": encoding, "If-None-Match": first.headers["etag"]}
        assert (await edge.get("/openapi.json", headers=known)).status_code == 304
    assert bodies["identity"] == bodies["gzip"]


@needs_nginx
async def test_an_event_stream_passes_the_edge_and_is_not_kept(edge: httpx.AsyncClient, person: Person) -> None:
    headers = {"Authorization": f"Bearer {person.tokens['accessToken']}"}
    for _ in range(2):
        async with asyncio.timeout(30), edge.stream("GET", "/api/v1/notifications/stream", headers=headers) as answer:
            assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")
            assert words_of(answer) == {"no-store"}
            assert [line async for line in _first_lines(answer)]  # while the stream is still open


async def _first_lines(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        yield line
        return
