"""Example values of JSON schemas (https://json-schema.org/draft/2020-12): what a schema gives itself, else made up."""

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

#: Deeper than any body goes: a schema that holds itself ends there.
DEPTH = 8
_BY_FORMAT = {
    "date-time": "2026-05-04T09:30:00Z",
    "date": "2026-05-04",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "binary": "",
}
#: Of fields whose names tell more than their types.
_BY_NAME = {
    "accessToken": "eyJhbGciOiJFZERTQSJ9…",
    "email": "ada@example.com",
    "fullName": "Ada Lovelace",
    "role": "Backend engineer",
    "experience": "senior",
    "topics": ["Python", "SQL"],
    "title": "Backend engineer, senior",
    "password": "correct horse battery",
    "newPassword": "correct horse battery",
}
#: Of what has a pattern: an id, a hash, a token, a language, the position in a stream, a signed record.
_SAMPLES = (
    "665f1c2e9b1d8a0012345678",
    "9f86d081884c7d65" * 4,
    "yT3x" * 10 + "yT3",
    "en-GB",
    "1714815000000-0",
    "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl",
)


def example(schema: Json, schemas: Mapping[str, Json], name: str = "", depth: int = DEPTH) -> Any:
    """A value of a schema. `schemas`: what `$ref` leads to, by name; `name`: of the field whose value it is."""
    schema = _resolved(schema, schemas)
    for given in (*schema.get("examples", ()), *(schema[key] for key in ("example", "const") if key in schema)):
        return given
    if schema.get("enum"):
        return schema["enum"][0]
    if name in _BY_NAME and _fits(_BY_NAME[name], schema):
        return _BY_NAME[name]
    if schema.get("default") is not None:
        return schema["default"]
    return _made_up(schema, schemas, depth)


def _resolved(schema: Json, schemas: Mapping[str, Json]) -> Json:
    """The schema itself; of several that are possible the first that is not null."""
    for _ in range(DEPTH):
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif options := schema.get("anyOf") or schema.get("oneOf"):
            about = {key: schema[key] for key in ("examples", "default") if schema.get(key) is not None}
            schema = {**next((one for one in options if one.get("type") != "null"), options[0]), **about}
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            break
    return schema


def _fits(value: Any, schema: Json) -> bool:
    if isinstance(value, list):
        return schema.get("type") == "array" and schema.get("items", {}).get("type") == "string"
    return schema.get("type") == "string" and "pattern" not in schema


def _made_up(schema: Json, schemas: Mapping[str, Json], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind == "object":
        fields = schema.get("properties", {}) if depth else {}
        return {name: example(field, schemas, name, depth - 1) for name, field in fields.items()}
    if kind == "array":
        if not depth:
            return []
        count = max(1, schema.get("minItems", 1)) if schema.get("maxItems", 1) else 0
        return [example(schema.get("items", {}), schemas, "", depth - 1)] * count
    if kind == "string":
        return _BY_FORMAT.get(schema.get("format", ""), _text(schema))
    if kind in {"integer", "number"}:
        return _number(schema)
    return True if kind == "boolean" else None


def _text(schema: Json) -> str:
    if pattern := schema.get("pattern"):
        return next((sample for sample in _SAMPLES if re.search(pattern, sample)), "text")
    return "text".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", 100)]


def _number(schema: Json) -> int:
    return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
