"""What a service tells of its routes (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1.html): FastAPI's document, with
the errors that are really answered, and with what needs a token said by the list that the authentication goes by."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Json = dict[str, Any]
#: Where each service tells it. Behind the internal entry point, like all under /internal/, though it holds no secret.
OPENAPI_PATH = "/internal/openapi.json"
USER_SCHEME = "accessToken"
SERVICE_SCHEME = "serviceToken"
_SCHEMES = {
    USER_SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Of a log-in."},
    SERVICE_SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Of another service."},
}
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_EXAMPLE = {
    "type": "urn:intervai:problem:not-found",
    "title": "Not Found",
    "status": 404,
    "instance": "/api/v1/sessions/665f1c2e9b1d8a0012345678",
    "requestId": "01JZ3K5T9M8Q2W",
}
_FIELD_ERROR = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    "required": ["field", "message"],
    "example": {"field": "topics.0", "message": "String should have at least 1 character"},
}
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457). `errors` comes with 422 only.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "requestId": {"type": "string"},
        "errors": {"type": "array", "items": _FIELD_ERROR},
    },
    "required": ["type", "title", "status", "instance", "requestId"],
    "examples": [_EXAMPLE],
}
#: By the name of the response: when it is answered, and an example.
_RESPONSES: dict[str, tuple[str, Json]] = {
    "Unauthenticated": (
        "No access token, or one that is not good here.",
        {"type": "urn:intervai:problem:unauthenticated", "title": "Unauthenticated", "status": 401},
    ),
    "NotFound": ("There is none, or it is somebody else's.", {}),
    "Invalid": (
        "The request is not valid; `errors` says where.",
        {"type": "urn:intervai:problem:invalid", "title": "Invalid Input", "status": 422}
        | {"detail": "The request is not valid.", "errors": [_FIELD_ERROR["example"]]},
    ),
    "Error": (
        "Any other error: 429 with `Retry-After` when a limit is used up, 503 when a part is not reachable.",
        {"type": "urn:intervai:problem:too-many-requests", "title": "Too Many Requests", "status": 429},
    ),
}


def describe(app: FastAPI, is_public: Callable[[str], bool]) -> Json:
    """The document of a service. `is_public`: whether a path needs no token."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, description=app.description)
    components = document.setdefault("components", {})
    schemas = {
        name: schema
        for name, schema in components.get("schemas", {}).items()
        if name not in {"HTTPValidationError", "ValidationError"}  # FastAPI's; ours are problems
    }
    components["schemas"] = {**schemas, "Problem": PROBLEM}
    components["responses"] = {name: _problem(*told) for name, told in _RESPONSES.items()}
    components["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for method in _METHODS & operations.keys():
            _complete(operations[method], path, is_public=is_public(path))
    return document


def openapi_route(app: FastAPI, is_public: Callable[[str], bool]) -> Route:
    """The route that tells it. Made once, in a thread: the largest takes a second of a slow core."""
    making: list[asyncio.Task[bytes]] = []

    async def openapi(_: Request) -> Response:
        if not making:
            making.append(asyncio.create_task(asyncio.to_thread(lambda: orjson.dumps(describe(app, is_public)))))
        return Response(await asyncio.shield(making[0]), media_type="application/json")

    return Route(OPENAPI_PATH, openapi, name="openapi", include_in_schema=False)


def _complete(operation: Json, path: str, *, is_public: bool) -> None:
    scheme = SERVICE_SCHEME if path.startswith("/internal/") else USER_SCHEME
    operation["security"] = [] if is_public else [{scheme: []}]
    responses = operation["responses"]
    if not is_public:
        responses["401"] = _reference("Unauthenticated")
    if "{" in path:
        responses.setdefault("404", _reference("NotFound"))
    if "422" in responses:
        responses["422"] = _reference("Invalid")
    for answer in responses.values():
        for content in answer.get("content", {}).values():
            if "itemSchema" in content:  # of an event stream: a word of OpenAPI 3.2
                content |= {"schema": {"type": "string"}, "x-itemSchema": content.pop("itemSchema")}
    responses["default"] = _reference("Error")


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


def _problem(description: str, differs: Json) -> Json:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _EXAMPLE | differs}
    return {"description": description, "content": {"application/problem+json": content}}
