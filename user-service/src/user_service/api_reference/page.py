"""The page: HTML without a script, with a style sheet of its own, so that it works under a strict policy."""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from user_service.api_reference.examples import example
from user_service.api_reference.merge import Json

_FILES = resources.files("user_service.api_reference")
STYLE = (_FILES / "style.css").read_bytes()
#: Names this version of the sheet, so that no page is shown with that of another.
STYLE_VERSION = hashlib.sha256(STYLE).hexdigest()[:12]


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    where: str
    kind: str
    is_needed: bool
    about: str


@dataclass(frozen=True)
class Answer:
    """One answer of an operation; `shown` is an example as text, or empty."""

    status: str
    about: str
    shown: str


@dataclass(frozen=True)
class Operation:
    """One operation, as the page tells it."""

    id: str
    method: str
    path: str
    title: str
    about: str
    needs_login: bool
    fields: list[Field]
    body: str
    answers: list[Answer]


def rendered(document: Json) -> str:
    """The page of an OpenAPI document, as HTML."""
    groups: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[(operation.get("tags") or ["other"])[0]].append(_operation(path, method, operation, document))
    import jinja2  # noqa: PLC0415  only the process that is asked for the page loads it

    strict = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return strict.from_string((_FILES / "page.html.jinja").read_text()).render(
        info=document["info"],
        paragraphs=document["info"]["description"].split("\n\n"),
        groups={tag: group for tag, group in groups.items() if group},
        count=sum(len(group) for group in groups.values()),
        style=STYLE_VERSION,
        problem=_shown({"schema": {"$ref": "#/components/schemas/Problem"}}, document),
    )


def _operation(path: str, method: str, operation: Json, document: Json) -> Operation:
    body = _content(operation.get("requestBody", {}))
    answers = [_answer(status, told, document) for status, told in operation["responses"].items()]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation.get("summary", path),
        about=operation.get("description", ""),
        needs_login=bool(operation["security"]),
        fields=[_parameter(each) for each in operation.get("parameters", ())] + _body_fields(body, document),
        body=_shown(body, document),
        answers=answers,
    )


def _content(holder: Json) -> Json:
    """Schema and example of what a body or an answer holds, where it is JSON."""
    content = holder.get("content", {})
    media_type = next((kind for kind in content if kind.endswith("json")), None)
    return content[media_type] if media_type else {}


def _answer(status: str, told: Json, document: Json) -> Answer:
    if "$ref" in told:
        told = document["components"]["responses"][told["$ref"].rpartition("/")[2]]
    about = told["description"]
    return Answer(status, "" if about == "Successful Response" else about, _shown(_content(told), document))


def _shown(content: Json, document: Json) -> str:
    if not content.get("schema"):
        return ""
    value = content.get("example") or example(content["schema"], document["components"]["schemas"])
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _parameter(parameter: Json) -> Field:
    schema = parameter.get("schema", {})
    about = parameter.get("description", "")
    return Field(parameter["name"], parameter["in"], kind_of(schema), bool(parameter.get("required")), about)


def _body_fields(content: Json, document: Json) -> list[Field]:
    schemas = document["components"]["schemas"]
    schema: Json = content.get("schema", {})
    while "$ref" in schema or "anyOf" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
    needed = schema.get("required", ())
    return [
        Field(name, "body", kind_of(field), name in needed, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]


def kind_of(schema: Json) -> str:
    """A schema in a few words: `integer, 1 to 100`; `one of easy, medium, hard`; `list of Question`."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(kind_of(option) for option in options)
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}{_bounds(schema, 'minItems', 'maxItems')}"
    kind = schema.get("format") or schema.get("type") or (repr(schema["const"]) if "const" in schema else "anything")
    bounds = _bounds(schema, "minimum", "maximum") or _bounds(schema, "minLength", "maxLength", " characters")
    return f"{kind}{bounds}"


def _bounds(schema: Json, least: str, most: str, unit: str = "") -> str:
    low: Any = schema.get(least)
    high: Any = schema.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return f", from {low}{unit}"
    return f", {low} to {high}{unit}" if low is not None else f", up to {high}{unit}"
