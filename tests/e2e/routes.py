"""All routes of all services, as their OpenAPI documents tell them: a new route is in the walk by itself."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
PUBLIC = {
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/email/verify"),
    ("POST", "/api/v1/auth/email/resend"),
    ("POST", "/api/v1/auth/password/forgot"),
    ("POST", "/api/v1/auth/password/reset"),
    ("POST", "/api/v1/auth/mfa/totp/verify"),
    ("POST", "/api/v1/auth/letters/unsubscribe/{token}"),
    ("GET", "/api/v1/auth/letters/unsubscribe/{token}"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/docs"),
    ("GET", "/docs/style.css"),
    ("GET", "/openapi.json"),
    ("GET", "/api/v1/users/erasures/keys"),
    ("GET", "/api/v1/users/erasures/{receipt}"),
    ("GET", "/api/v1/analytics/trending"),
    ("GET", "/api/v1/exports/keys"),
    ("POST", "/api/v1/exports/verify"),
    ("GET", "/api/v1/shared/sessions/{token}"),
    ("POST", "/internal/token"),
}


@dataclass(frozen=True)
class Route:
    """One operation. `body` is its JSON schema, if it takes one; `query` names its query parameters."""

    service: str
    method: str
    path: str
    body: Any = None
    query: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    __hash__ = object.__hash__

    @property
    def is_internal(self) -> bool:
        return self.path.startswith("/internal/")

    @property
    def is_public(self) -> bool:
        return (self.method, self.path) in PUBLIC

    @property
    def base_url(self) -> str:
        """Where a client reaches it: internal routes only over the internal entry point."""
        if self.is_internal:
            return f"{os.environ['INTERNAL_GATEWAY_URL']}/{self.service}"
        return os.environ["GATEWAY_URL"]


@cache
def all_routes() -> list[Route]:
    """Every route of every service."""
    return [route for service in SERVICES for route in _routes_of(service)]


def _routes_of(service: str) -> list[Route]:
    answer = httpx.get(f"{os.environ['INTERNAL_GATEWAY_URL']}/{service}/internal/openapi.json")
    answer.raise_for_status()
    document = answer.json()
    return [
        Route(service, method.upper(), path, _body(operation, document), _query(operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _query(operation: dict[str, Any]) -> tuple[str, ...]:
    return tuple(parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query")


def _body(operation: dict[str, Any], document: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return _inlined(content["schema"], document) if content else None


def _inlined(schema: Any, document: dict[str, Any]) -> Any:
    """The schema with its references to components replaced by what they name."""
    if isinstance(schema, list):
        return [_inlined(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _inlined(document["components"]["schemas"][reference.rsplit("/", 1)[1]], document)
    return {key: _inlined(value, document) for key, value in schema.items()}
