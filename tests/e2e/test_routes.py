"""A walk over every route of every service: closed without a token, blind to others' things, calm on bad input."""

import asyncio
import json
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient

from intervai_shared.testing import Person
from tests.e2e.bodies import values
from tests.e2e.routes import Route, all_routes

RANDOM_BODIES = 200
ANY_ID = "665f1c2e9b1d8a0012345678"
#: Routes that a body may be left out of: null stands for none.
WITHOUT_BODY = {
    "POST /api/v1/auth/refresh",
    "POST /api/v1/sessions/{session_id}/clone",
    "POST /api/v1/sessions/{session_id}/shares",
    "POST /api/v1/shared/templates/{token}/sessions",
    "POST /api/v1/templates/{template_id}/sessions",
    "POST /api/v1/templates/{template_id}/share",
}
#: Bodies that no route accepts: no JSON at all, not even text, too deep, the wrong shape, unknown fields.
BAD_BODIES = {
    b"{": 422,
    b"\xff\xfe": 422,
    b"[" * 100_000 + b"]" * 100_000: 400,
    b"[]": 422,
    b'"text"': 422,
    b"null": 422,
    b'{"noSuchField": 1}': 422,
}


def path_of(route: Route, ids: dict[str, str]) -> str:
    return route.path.format_map(ids)


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, (answer.request.method, answer.request.url, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "instance", "requestId"} <= problem.keys()
    assert problem["status"] == status
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text


class AnyIds(dict[str, str]):
    """An id for every path parameter."""

    def __missing__(self, name: str) -> str:
        return ANY_ID


async def test_every_route_refuses_a_missing_token() -> None:
    walked = 0
    async with httpx.AsyncClient() as client:
        for route in all_routes():
            if route.is_public:
                continue
            answer = await client.request(route.method, route.base_url + path_of(route, AnyIds()), content=b"{")
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
            walked += 1
    assert walked >= 20


async def test_internal_routes_refuse_a_users_token_and_are_not_public(person: Person) -> None:
    internal = [route for route in all_routes() if route.is_internal]
    assert internal
    headers = {"Authorization": f"Bearer {person.tokens['accessToken']}"}
    async with httpx.AsyncClient(headers=headers) as client:
        for route in internal:
            path = path_of(route, AnyIds())
            assert (await client.request(route.method, os.environ["GATEWAY_URL"] + path)).status_code == 404
            if not route.is_public:
                assert_problem(await client.request(route.method, route.base_url + path), 401)


async def test_health_metrics_and_internal_paths_are_never_public(gateway: httpx.AsyncClient) -> None:
    paths = ["/health/live", "/health/ready", "/metrics", "/qa-service/health/live"]
    paths += ["/internal/token", "/internal/openapi.json", "/qa-service/internal/openapi.json"]
    tricks = [
        "/api/v1/../../metrics",
        "/api/v1/sessions/../../../internal/token",
        "//internal/token",
        "/%69nternal/token",
    ]
    for path in [*paths, *tricks]:
        request = gateway.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=path.encode())
        assert (await gateway.send(request)).status_code in {400, 404}, path


async def test_bad_input_gets_a_clear_problem(person: Person, signed_in: str) -> None:
    person.http.headers["Authorization"] = f"Bearer {signed_in}"
    routes = [route for route in all_routes() if route.body and not route.is_internal]
    assert len(routes) >= 9
    session = (await person.http.post("/api/v1/sessions", json=_session(generate=False))).json()
    added = await person.http.post(f"/api/v1/sessions/{session['id']}/questions", json={"text": "Why?"})
    ids = AnyIds(session_id=session["id"], question_id=added.json()["id"])
    for route in routes:
        for body, status in BAD_BODIES.items():
            if body == b"null" and str(route) in WITHOUT_BODY:
                continue
            answer = await person.http.request(
                route.method, path_of(route, ids), content=body, headers={"Content-Type": "application/json"}
            )
            assert_problem(answer, status)
            if status == 422:
                assert all(error["field"] and error["message"] for error in answer.json()["errors"])
            else:
                assert answer.json()["detail"]
    for path in ("/api/v1/sessions/xyz", "/api/v1/sessions?limit=0", "/api/v1/sessions?cursor=%7B", "/api/v1/jobs/1"):
        assert_problem(await person.http.get(path), 422)


async def test_an_oversized_body_is_refused(person: Person) -> None:
    answer = await person.http.post("/api/v1/sessions", content=b'"' + b"x" * 2_000_000 + b'"')
    assert answer.status_code == 413


def _session(**fields: Any) -> dict[str, Any]:
    return {"role": "Backend engineer", "experience": "senior", "topics": ["Python"], **fields}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_ODD = st.sampled_from([{"$gt": ""}, {"$where": "1"}, ["a"], "", "\x00", "\ud800", -1, 10**30, 1e308, None, "x" * 5000])


def bodies(schema: Any) -> st.SearchStrategy[Any]:
    """Valid ones, valid ones with one field made odd, and anything at all."""
    schema = next((option for option in schema.get("anyOf", []) if "properties" in option), schema)  # or none at all
    valid = values(schema)
    fields = st.sampled_from(sorted(schema["properties"]))
    odd = st.builds(lambda body, field, value: {**body, field: value}, valid, fields, _ODD)
    return st.one_of(valid, odd, _JSON)


@pytest.fixture
async def signed_in(person: Person, gateway: httpx.AsyncClient) -> str:
    """The access token of an administrator who has a profile already."""
    async with asyncio.timeout(60):
        while (await person.http.get("/api/v1/users/me")).status_code != 200:  # noqa: ASYNC110  a worker makes it
            await asyncio.sleep(0.1)
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as mongo:
        roles = {"$set": {"roles": ["user", "admin"]}}
        await mongo.intervai_auth.accounts.update_one({"_id": person.id}, roles)
    refreshed = await gateway.post("/api/v1/auth/refresh", json={"refreshToken": person.tokens["refreshToken"]})
    return str(refreshed.json()["accessToken"])


def with_body() -> list[str]:
    """Names of the routes; asked at collection, so that each is a test of its own."""
    return [str(route) for route in all_routes() if route.body]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", with_body())
def test_random_bodies_never_break_a_route(name: str, signed_in: str) -> None:
    route = next(route for route in all_routes() if str(route) == name)
    with httpx.Client(headers={"Authorization": f"Bearer {signed_in}"}, timeout=20) as client:
        url = route.base_url + path_of(route, _own_ids(client))
        statuses: dict[int, int] = {}

        @settings(
            max_examples=RANDOM_BODIES,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(bodies(route.body))
        def send(body: Any) -> None:
            answer = client.request(
                route.method, url, content=_encoded(body), headers={"Content-Type": "application/json"}
            )
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (body, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json", (body, answer.text)
            else:
                _cancel_its_job(client, answer)

        send()
    assert sum(statuses.values()) >= RANDOM_BODIES / 2
    assert statuses.keys() & {200, 201, 202, 400, 401, 404, 409}, f"no body got through the validation: {statuses}"


def _cancel_its_job(client: httpx.Client, answer: httpx.Response) -> None:
    """No limits hold here, and two hundred jobs of one person at a time are another test's matter."""
    told = answer.json() if answer.content else {}
    started = told.get("generation") or told
    job = started.get("jobId") or (told.get("id") if answer.status_code == 202 else None)
    if job:
        assert client.delete(f"{os.environ['GATEWAY_URL']}/api/v1/jobs/{job}").status_code in {200, 404, 409}


def _own_ids(client: httpx.Client) -> dict[str, str]:
    base = os.environ["GATEWAY_URL"]
    session = client.post(f"{base}/api/v1/sessions", json=_session(generate=False)).json()
    question = client.post(f"{base}/api/v1/sessions/{session['id']}/questions", json={"text": "Why?"}).json()
    return AnyIds(session_id=session["id"], question_id=question["id"])


def _encoded(body: Any) -> bytes:
    """JSON with lone surrogates as escapes, as a careless client may send them."""
    return json.dumps(body).encode()
