"""Hypothesis strategies from the part of JSON Schema that our OpenAPI documents use."""

from typing import Any

from hypothesis import strategies as st


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit the schema (but for formats that only a library can check)."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    if "anyOf" in schema:
        return st.one_of([values(option) for option in schema["anyOf"]])
    return _BY_TYPE[schema["type"]](schema)


def _string(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "email":
        return st.emails()
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    return st.text(characters, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 200))


def _integer(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _array(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(
        values(schema["items"]), min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 5), 5)
    )


def _object(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(field) for name, field in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


_BY_TYPE = {
    "string": _string,
    "integer": _integer,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
    "array": _array,
    "object": _object,
}
