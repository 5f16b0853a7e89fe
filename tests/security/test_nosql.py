"""Database operators where a value belongs: in every field of every body, in every query parameter, in every path. They
are refused, find nothing and change nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import stamina

from intervai_shared.testing import Person
from tests.e2e.routes import all_routes
from tests.security.support import AnyIds, assert_problem, sample, url_of, with_body

OPERATORS: tuple[dict[str, Any], ...] = (
    {"$gt": ""},
    {"$ne": None},
    {"$where": "sleep(5000) || true"},
    {"$regex": ".*"},
    {"$in": ["", None]},
)
#: Texts that a person may search for: there an operator is a text like another.
FREE_TEXT = {"q", "category"}


@pytest.fixture
async def own(attacker: httpx.AsyncClient, person: Person, gateway: httpx.AsyncClient) -> AnyIds:
    """Ids of the attacker, and of a session of theirs with a question."""
    wanted = {"role": "Backend engineer", "experience": "senior", "topics": ["Python"], "generate": False}
    session = (await attacker.post(f"{gateway.base_url}/api/v1/sessions", json=wanted)).json()["id"]
    questions = f"{gateway.base_url}/api/v1/sessions/{session}/questions"
    question = (await attacker.post(questions, json={"text": "Why?"})).json()["id"]
    return AnyIds(session_id=session, question_id=question, user_id=str(person.id))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to everything in a body, to the fields of objects in it and the items of lists too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[str | int, ...], by: Any) -> Any:
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


async def seen_by(client: httpx.AsyncClient) -> dict[str, Any]:
    """All that the lists and resources of a person show, but for what changes by itself."""
    seen = {}
    for route in all_routes():
        if route.method != "GET" or route.is_internal or route.is_public or "{" in route.path:
            continue
        if route.path.endswith(("/stream", "/data")):
            continue
        answer = await client.get(url_of(route))
        if answer.is_success:  # the search wants to know what to look for
            seen[route.path] = answer.json()
    assert len(seen) >= 8
    return seen


async def seen_when_counted(client: httpx.AsyncClient) -> dict[str, Any]:
    """What is seen once the person's statistics, which follow their events, have come to know the `own` question."""
    async for attempt in stamina.retry_context(on=AssertionError, timeout=30, wait_max=0.3):
        with attempt:
            seen = await seen_by(client)
            assert seen["/api/v1/analytics/me"]["totals"]["questions"] == 1
    return seen


async def test_an_operator_in_any_field_of_any_body_is_refused_by_name_and_changes_nothing(
    attacker: httpx.AsyncClient, own: AnyIds
) -> None:
    before = await seen_when_counted(attacker)
    tried = 0
    for route in with_body():
        valid = sample(route.body)
        for path in places(valid):
            for operator in OPERATORS:
                answer = await attacker.request(route.method, url_of(route, own), json=replaced(valid, path, operator))
                assert_problem(answer, 422)
                named = [error["field"] for error in answer.json()["errors"]]
                assert any(name.startswith(".".join(map(str, path))) for name in named), (route, path, named)
                tried += 1
    assert tried >= 300
    assert await seen_by(attacker) == before


async def test_an_operator_beside_the_fields_of_any_body_is_refused(attacker: httpx.AsyncClient) -> None:
    for route in with_body():
        for operator in OPERATORS:
            answer = await attacker.request(route.method, url_of(route), json={**sample(route.body), **operator})
            assert_problem(answer, 422)
            assert next(iter(operator)) in [error["field"] for error in answer.json()["errors"]], route


async def test_an_operator_in_a_query_parameter_finds_nothing(attacker: httpx.AsyncClient, own: AnyIds) -> None:
    tried = 0
    for route in all_routes():
        for name in [] if route.is_internal else route.query:
            for operator in OPERATORS:
                text = json.dumps(operator)
                answer = await attacker.request(route.method, url_of(route, own), params={name: text})
                if name in FREE_TEXT:
                    assert answer.status_code in {200, 422}, (route, name, answer.text)
                    assert not answer.json().get("items"), (route, name)
                else:
                    assert_problem(answer, 422)
                tried += 1
    assert tried >= 50


async def test_the_bracket_spelling_of_an_operator_is_no_parameter(attacker: httpx.AsyncClient) -> None:
    """`?limit[$gt]=` becomes an operator in other stacks."""
    lists = [route for route in all_routes() if route.method == "GET" and route.query and "{" not in route.path]
    for route in lists:
        if route.is_internal or "stream" in route.path or "q" in route.query:
            continue
        plain = await attacker.get(url_of(route))
        params = {f"{name}[{key}]": "1" for name in route.query for operator in OPERATORS for key in operator}
        tricked = await attacker.get(url_of(route), params=params)
        assert (tricked.status_code, tricked.json()) == (plain.status_code, plain.json()), route


async def test_an_operator_in_a_path_is_refused(attacker: httpx.AsyncClient) -> None:
    walked = [route for route in all_routes() if "{" in route.path and not route.is_internal]
    assert len(walked) >= 15
    for route in walked:
        for operator in OPERATORS:
            hostile = quote(json.dumps(operator, separators=(",", ":")), safe="")
            path = re.sub(r"\{\w+\}", hostile, route.path)
            body = sample(route.body) if route.body else None
            answer = await attacker.request(route.method, route.base_url + path, json=body)
            assert_problem(answer, 422, 404)
