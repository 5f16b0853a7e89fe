"""JSON: everything, for programs."""

from dataclasses import asdict

import orjson
from pydantic.alias_generators import to_camel

from export_service.renderers.content import Content

SCHEMA = "urn:intervai:session-export:1"


def render_json(content: Content) -> bytes:
    """UTF-8, indented, in the public API's names."""
    left_out = {"items", "layout"}
    session = {to_camel(key): value for key, value in asdict(content).items() if key not in left_out}
    questions = [{to_camel(key): value for key, value in asdict(item).items()} for item in content.items]
    document = {"schema": SCHEMA, "session": session, "questions": questions}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
