"""One OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html) out of those of several services."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

Json = dict[str, Any]

INTERNAL = "/internal/"
_DESCRIPTION = """\
InterVAI prepares people for job interviews. A person describes the interview, gets questions with model answers, pins
and annotates them, practises, and takes the set away as a file.

Ids are 24 hex digits. Times are RFC 3339, UTC. Fields are camelCase. Errors are `application/problem+json` (RFC 9457);
what belongs to somebody else is 404. Lists take `limit` and `cursor`, and answer `items` and `nextCursor`.

A POST that makes or starts something takes an `Idempotency-Key`: the same key gives the same answer, once. Each answer
has an `X-Request-Id`; tell it when you report a fault."""


def merged(documents: Mapping[str, Json], version: str) -> Json:
    """The public routes of all services, by service name. A component whose name two services use for different things
    is called after its service as well; what only internal routes need is left out."""
    clashing = _clashing(documents)
    paths: Json = {}
    components: dict[str, Json] = {}
    for service, document in documents.items():
        names = {name: _public_name(service, name, clashing) for name in document["components"].get("schemas", {})}
        renamed = _rewritten(document, names)
        for path, operations in renamed["paths"].items():
            if not path.startswith(INTERNAL):
                paths.setdefault(path, {}).update(operations)
        for kind, things in renamed["components"].items():
            components.setdefault(kind, {}).update(
                {names.get(name, name) if kind == "schemas" else name: thing for name, thing in things.items()}
            )
    return {
        "openapi": "3.1.1",
        "info": {"title": "InterVAI", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [{"name": tag} for tag in _tags(paths)],
        "paths": paths,
        "components": _needed(paths, components),
    }


def _clashing(documents: Mapping[str, Json]) -> set[str]:
    """The names of schemas that are not the same in all services that use them: they differ, or what they refer to
    does."""
    found: dict[str, list[Json]] = {}
    for document in documents.values():
        for name, schema in document["components"].get("schemas", {}).items():
            found.setdefault(name, []).append(schema)
    several = {name: schemas for name, schemas in found.items() if len(schemas) > 1}
    clashing = {name for name, schemas in several.items() if any(schema != schemas[0] for schema in schemas)}
    while more := {
        name
        for name, schemas in several.items()
        if name not in clashing and any(used in clashing for _, used in _references(schemas))
    }:
        clashing |= more
    return clashing


def _public_name(service: str, name: str, clashing: Container[str]) -> str:
    return service.removesuffix("-service").capitalize() + name if name in clashing else name


def _rewritten(node: Any, names: Mapping[str, str]) -> Any:
    """The node with its references to schemas changed; those of a discriminator are plain strings."""
    if isinstance(node, dict):
        return {key: _rewritten(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_rewritten(item, names) for item in node]
    if isinstance(node, str) and node.startswith("#/components/schemas/"):
        name = node.rpartition("/")[2]
        return f"#/components/schemas/{names.get(name, name)}"
    return node


def _references(node: Any) -> Iterable[tuple[str, str]]:
    """Kind and name of each component that the node refers to."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, str) and node.startswith("#/components/"):
        _, _, kind, name = node.split("/")
        yield kind, name


def _needed(paths: Json, components: Mapping[str, Json]) -> Json:
    """The components that the paths lead to, and the security schemes that they name."""
    reached: set[tuple[str, str]] = set()
    ahead = list(_references(paths))
    while ahead:
        kind, name = ahead.pop()
        if (kind, name) not in reached:
            reached.add((kind, name))
            ahead.extend(_references(components[kind][name]))
    schemes = {
        name
        for operations in paths.values()
        for operation in operations.values()
        for needed in operation["security"]
        for name in needed
    }
    reached |= {("securitySchemes", name) for name in schemes}
    return {
        kind: {name: things[name] for name in sorted(things) if (kind, name) in reached}
        for kind, things in components.items()
    }


def _tags(paths: Json) -> list[str]:
    """In the order in which the services name them."""
    tags = [tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())]
    return list(dict.fromkeys(tags))
