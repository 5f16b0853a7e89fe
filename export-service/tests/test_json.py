"""JSON, as its published schema describes it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from export_service.renderers.content import Content
from export_service.renderers.json_file import SCHEMA, render_json

NewContent = Callable[..., Content]
SCHEMA_FILE = Path(__file__).parents[2] / "docs/schemas/session-export-1.schema.json"


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads(SCHEMA_FILE.read_text())


def validate(document: Any, schema: Any) -> None:
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)


def test_a_file_fits_its_schema_and_holds_all_of_its_fields(content: NewContent, schema: Any) -> None:
    document = json.loads(render_json(content()))
    validate(document, schema)
    assert schema["$id"] == SCHEMA
    for name, told in (("session", document["session"]), ("question", document["questions"][0])):
        assert told.keys() == schema["$defs"][name]["properties"].keys()


def test_what_the_options_leave_out_is_empty_and_still_fits(content: NewContent, schema: Any) -> None:
    left = content(answer="", key_points=[], notes="", follow_ups=[])
    validate(json.loads(render_json(left)), schema)
    validate(json.loads(render_json(content(items=[], topics=[]))), schema)


def test_a_session_at_all_limits_fits(content: NewContent, schema: Any) -> None:
    # As the API counts: characters, not bytes.
    longest = content(
        title="語" * 200,
        role="語" * 120,
        experience="語" * 60,
        topics=["語" * 60] * 20,
        text="語" * 2_000,
        answer="語" * 20_000,
        category="語" * 60,
        key_points=["語" * 500] * 20,
        follow_ups=["語" * 500] * 20,
        notes="語" * 10_000,
    )
    validate(json.loads(render_json(replace(longest, items=longest.items * 20))), schema)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "urn:intervai:session-export:2"},
        {"questions": [{"text": ""}]},
        {"questions": [{"text": "Why?", "difficulty": "deadly"}]},
        {"questions": [{"text": "Why?", "source": "custom"}]},
        {"session": {"title": "T", "role": "R", "experience": "x"}},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_no_such_file(change: Any, content: NewContent, schema: Any) -> None:
    with pytest.raises(ValidationError):
        validate({**json.loads(render_json(content())), **change}, schema)
