"""The description of the API out of those of the services, without any service."""

import re
from typing import Any

import pytest

from user_service.api_reference.examples import example
from user_service.api_reference.merge import merged
from user_service.api_reference.page import kind_of, rendered


def told(path: str, schemas: dict[str, Any], used: str, scheme: str = "accessToken") -> dict[str, Any]:
    """A service's document: one route that answers a schema."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{used}"}}}
    answers = {"200": {"description": "Successful Response", "content": content}}
    operation = {"operationId": f"get{path}", "tags": [path.split("/")[3]], "responses": answers}
    internal = {
        "operationId": "inside",
        "responses": {"200": {"description": "Yes"}},
        "security": [{"serviceToken": []}],
    }
    return {
        "paths": {path: {"get": {**operation, "security": [{scheme: []}]}}, "/internal/things": {"get": internal}},
        "components": {
            "schemas": {**schemas, "Secret": {"type": "string"}},
            "securitySchemes": {"accessToken": {"type": "http"}, "serviceToken": {"type": "http"}},
        },
    }


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def test_a_name_that_two_services_use_for_different_things_is_two_names() -> None:
    page_of = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    document = merged(
        {
            "auth-service": told("/api/v1/a", {"Thing": TEXT, "List": page_of}, "List"),
            "qa-service": told("/api/v1/q", {"Thing": NUMBER, "List": page_of}, "Thing"),
        },
        "1",
    )
    schemas = document["components"]["schemas"]
    # `List` reads the same in both, but in the one it is of texts.
    assert schemas["AuthThing"] == TEXT
    assert schemas["QaThing"] == NUMBER
    answer = document["paths"]["/api/v1/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    listed = schemas[answer["$ref"].rpartition("/")[2]]
    assert listed["items"]["$ref"] == "#/components/schemas/AuthThing"


def test_what_two_services_share_is_there_once_and_nothing_internal_is() -> None:
    same = {name: told(f"/api/v1/{name}", {"Thing": TEXT}, "Thing") for name in ("auth-service", "qa-service")}
    document = merged(same, "1")
    assert list(document["paths"]) == ["/api/v1/auth-service", "/api/v1/qa-service"]
    assert document["components"] == {"schemas": {"Thing": TEXT}, "securitySchemes": {"accessToken": {"type": "http"}}}
    assert [tag["name"] for tag in document["tags"]] == ["auth-service", "qa-service"]


NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "examples": ["given"]}, "given"),
        ({"enum": ["easy", "hard"]}, "easy"),
        ({"const": "all"}, "all"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "default": 0}, 0),
        ({"type": "string", "pattern": "^[0-9a-f]{24}$"}, "665f1c2e9b1d8a0012345678"),
        ({"type": "string", "format": "date-time"}, "2026-05-04T09:30:00Z"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": "array", "items": {"type": "string", "minLength": 6}, "minItems": 2}, ["text..", "text.."]),
        ({"type": "object", "properties": {"topics": {"type": "array", "items": TEXT}}}, {"topics": ["Python", "SQL"]}),
        ({"allOf": [{"$ref": "#/components/schemas/Text"}]}, "text"),
    ],
)
def test_a_schema_has_an_example(schema: dict[str, Any], value: object) -> None:
    assert example(schema, {"Text": TEXT}) == value


def test_a_schema_that_holds_itself_has_an_example_with_an_end() -> None:
    depth, value = 0, example(NODE, {"Node": NODE})
    while value:
        depth, value = depth + 1, value["next"]
    assert 1 < depth < 20


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 100}, "integer, 1 to 100"),
        ({"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]}, "string, up to 200 characters or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Node"}, "minItems": 1}, "list of Node, from 1"),
        ({"enum": ["easy", "hard"]}, "one of easy, hard"),
        ({}, "anything"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert kind_of(schema) == words


def test_the_page_takes_what_services_say_as_text_and_needs_no_script() -> None:
    document = merged({"qa-service": told("/api/v1/q", {"Thing": TEXT}, "Thing")}, "1")
    document["components"]["schemas"]["Problem"] = {"type": "object", "properties": {"status": NUMBER}}
    document["paths"]["/api/v1/q"]["get"]["description"] = "<script>alert(1)</script>"
    page = rendered(document)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    # Nothing from elsewhere, and nothing that the policy of the gateway forbids.
    assert re.findall(r'(?:src|href)="(?![#/])', page) == []
    assert "style=" not in page
    assert "<style" not in page
