"""JSON: everything, for programs; qa-service makes a session of it again."""

from dataclasses import asdict
from typing import Any

import orjson
from pydantic.alias_generators import to_camel

from export_service.renderers.content import Content, Item

#: Its JSON schema: docs/schemas/session-export-1.schema.json. Other fields are another version.
SCHEMA = "urn:intervai:session-export:1"
_LEFT_OUT = {"items", "layout", "updated_at"}


def render_json(content: Content) -> bytes:
    """UTF-8, indented, in the public API's names."""
    session, questions = _camel(content), [_camel(item) for item in content.items]
    document = {"schema": SCHEMA, "session": session, "questions": questions}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def _camel(described: Content | Item) -> dict[str, Any]:
    return {to_camel(key): value for key, value in asdict(described).items() if key not in _LEFT_OUT}
