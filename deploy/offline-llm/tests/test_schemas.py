"""The plainest instance of a schema."""

from typing import Any, Literal, Optional

import jsonschema
import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from offline_llm.schemas import SchemaError, plainest


class Mark(BaseModel):
    score: int
    why: Literal["good", "bad"]


class Feedback(BaseModel):
    mark: Mark
    others: list[Mark]
    share: float
    passed: bool
    hint: str | None
    kind: Literal["feedback"]
    parent: Optional["Feedback"]


SCHEMAS: dict[str, dict[str, Any]] = {
    "a model with models in it and itself": to_strict_json_schema(Feedback),
    "the whole by #": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    "one of several types": {"type": ["string", "null"]},
    "an array that may not be empty": {"type": "array", "items": {"type": "string"}, "minItems": 2},
    "a number with a least value": {"type": "integer", "minimum": 3, "maximum": 5},
    "a constant": {"const": 7},
    "options": {"enum": ["b", "a"]},
    "alternatives": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_the_instance_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(plainest(schema), schema)


UNUSABLE: dict[str, dict[str, Any]] = {
    "properties that are none": {"type": "object", "properties": ["a"]},
    "a field that is no schema": {"type": "object", "properties": {"a": 1}},
    "no options": {"enum": []},
    "no types": {"type": []},
    "no alternatives": {"anyOf": []},
    "a reference to nothing": {"$ref": "#/$defs/None"},
    "a reference to itself": {"$ref": "#"},
    "an array of nothing known": {"type": "array", "minItems": 1},
}


@pytest.mark.parametrize("schema", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_schema_of_the_subset_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        plainest(schema)
