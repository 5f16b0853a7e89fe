"""The plainest value that fits a JSON schema, of the subset that strict structured outputs accept
(https://platform.openai.com/docs/guides/structured-outputs)."""

from typing import Any


class SchemaError(Exception):
    """It is no schema of the subset."""


def plainest(schema: dict[str, Any]) -> Any:
    """Empty, zero, false, null, or the first of the options. Raises SchemaError."""
    try:
        return _value(schema, schema)
    except (AttributeError, IndexError, KeyError, TypeError, RecursionError) as error:
        raise SchemaError from error


def _value(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(_referred(schema["$ref"], root), root)
    if "anyOf" in schema:
        # Null where it may be, so that a schema that holds itself comes to an end.
        options = schema["anyOf"]
        return None if {"type": "null"} in options else _value(options[0], root)
    if "const" in schema:
        return schema["const"]
    return schema["enum"][0] if "enum" in schema else _of_type(schema, root)


def _of_type(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    kind = schema.get("type")
    kind = kind[-1] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _value(field, root) for name, field in schema.get("properties", {}).items()}
    if kind == "array":
        return [_value(schema["items"], root) for _ in range(schema.get("minItems", 0))]
    least = schema.get("minimum", 0)
    return {"integer": least, "number": least, "boolean": False, "null": None}.get(str(kind), "")


def _referred(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    """What `#` or `#/$defs/name` points to."""
    found = root
    for name in reference.split("/")[1:]:
        found = found[name]
    return found
