"""What several attacks do."""

import os
from typing import Any

import httpx

from tests.e2e.routes import Route, all_routes

ANY_ID = "665f1c2e9b1d8a0012345678"
JSON = {"Content-Type": "application/json"}


class AnyIds(dict[str, str]):
    """An id for every path parameter."""

    def __missing__(self, name: str) -> str:
        return ANY_ID


def with_body() -> list[Route]:
    found = [route for route in all_routes() if route.body and not route.is_internal]
    assert len(found) >= 15
    return found


def url_of(route: Route, ids: AnyIds | None = None, *, directly: bool = False) -> str:
    base = f"{os.environ['INTERNAL_GATEWAY_URL']}/{route.service}" if directly else route.base_url
    return base + route.path.format_map(AnyIds() if ids is None else ids)


def assert_problem(answer: httpx.Response, *statuses: int) -> None:
    asked = (answer.request.method, str(answer.request.url))
    assert answer.status_code in statuses, (asked, answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json", asked
    assert answer.json()["status"] == answer.status_code
    assert "Traceback" not in answer.text


def sample(schema: dict[str, Any]) -> Any:
    """A simple value for a schema, with all its fields and one item in each list. It fits but for patterns that show no
    example of themselves."""
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return sample(next(option for option in schema["anyOf"] if option.get("type") != "null"))
    if "properties" in schema:
        return {name: sample(field) for name, field in schema["properties"].items()}
    if schema.get("type") == "array":
        return [sample(schema["items"])]
    simple = {"integer": schema.get("minimum", 1), "boolean": True, "string": "x" * schema.get("minLength", 1)}
    return schema.get("examples", [simple[schema["type"]]])[0]
