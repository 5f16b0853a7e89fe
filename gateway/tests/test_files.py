"""What the files of gateway/ promise, read without Traefik."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

GATEWAY = Path(__file__).parents[1]
ROUTERS: dict[str, dict[str, Any]] = yaml.safe_load((GATEWAY / "dynamic/routers.yml").read_text())["http"]["routers"]
PUBLIC = {name: router for name, router in ROUTERS.items() if {"web", "websecure"} & set(router["entryPoints"])}
REDIRECT = PUBLIC.pop("to-https")

# The table of the design, section 3.
ROUTES = {
    "/api/v1/auth/register": "auth-service",
    "/api/v1/auth": "auth-service",
    "/.well-known/jwks.json": "auth-service",
    "/api/v1/users/me": "user-service",
    "/api/v1/notifications": "user-service",
    "/api/v1/sessions/5f/questions/stats": "qa-service",
    "/api/v1/sessions/import": "qa-service",
    "/api/v1/jobs/5f": "qa-service",
    "/api/v1/questions/search": "qa-service",
    "/api/v1/templates": "qa-service",
    "/api/v1/analytics/trending": "qa-service",
    "/api/v1/attempts/5f": "qa-service",
    "/api/v1/interviews/5f/answers": "qa-service",
    "/api/v1/reviews/due": "qa-service",
    "/api/v1/collections/5f/questions": "qa-service",
    "/api/v1/resumes/uploads": "qa-service",
    "/api/v1/usage": "qa-service",
    "/api/v1/shared/sessions/secret": "qa-service",
    "/api/v1/users/erasures/secret": "user-service",
    "/api/v1/auth/letters/unsubscribe/secret": "auth-service",
    "/api/v1/exports/5f/download": "export-service",
    "/docs": "user-service",
    "/openapi.json": "user-service",
}
CLOSED = ["/", "/internal/x", "/health/ready", "/metrics", "/api/v1/internal", "/api/v1/authentic", "/api/v2/auth"]


def matches(router: dict[str, Any], path: str) -> bool:
    kind, pattern = re.match(r"(PathRegexp|Path)\(`(.+?)`\)", router["rule"]).groups()  # type: ignore[union-attr]
    return bool(re.search(pattern, path)) if kind == "PathRegexp" else pattern == path


@pytest.mark.parametrize(("path", "service"), ROUTES.items())
def test_every_public_route_leads_to_its_service(path: str, service: str) -> None:
    found = {router["service"] for router in PUBLIC.values() if matches(router, path)}
    assert found == {f'{service}{{{{ env "SERVICE_PROVIDER" }}}}'}


@pytest.mark.parametrize("path", CLOSED)
def test_nothing_else_is_public(path: str) -> None:
    assert [name for name, router in PUBLIC.items() if matches(router, path)] == []


@pytest.mark.parametrize(
    "path",
    ["/api/v1/shared/sessions/secret", "/api/v1/users/erasures/secret", "/api/v1/auth/letters/unsubscribe/secret"],
)
def test_a_path_that_holds_a_secret_goes_first_to_routers_that_log_nothing(path: str) -> None:
    found = sorted((router for router in PUBLIC.values() if matches(router, path)), key=lambda one: -one["priority"])
    silent = [router for router in found if router.get("observability") == {"accessLogs": False, "tracing": False}]
    assert found[: len(silent)] == silent
    assert silent[-1]["priority"] > max((one["priority"] for one in found if one not in silent), default=0)


def test_internal_prefixes_are_on_the_internal_entry_point_alone() -> None:
    internal = [router for router in ROUTERS.values() if router["rule"].startswith("PathPrefix(")]
    assert len(internal) == 4
    assert all(router["entryPoints"] == ["internal"] for router in internal)


def test_every_public_router_answers_with_and_without_tls_and_the_redirect_without_alone() -> None:
    for name, router in PUBLIC.items():
        assert {"web", "websecure"} <= set(router["entryPoints"]), name
    assert REDIRECT["entryPoints"] == ["web"]
    assert REDIRECT["priority"] > max(router["priority"] for router in PUBLIC.values())


def test_every_public_request_goes_through_the_breaker_outside_of_what_repeats() -> None:
    middlewares = yaml.safe_load((GATEWAY / "dynamic/middlewares.yml").read_text())["http"]["middlewares"]
    for name, last in (("edge-read", "retry"), ("edge-write", "retry-unsent"), ("edge-import", "retry-unsent")):
        assert middlewares[name]["chain"]["middlewares"][-2:] == ["breaker", last]
    assert "status" not in middlewares["retry-unsent"]["retry"]
    assert middlewares["edge"]["chain"]["middlewares"][0] == "cors"


def test_every_public_router_has_the_edge_middlewares() -> None:
    for name, router in PUBLIC.items():
        first = {"write": "edge-write", "import": "edge-import"}.get(name.rsplit("-", 1)[-1], "edge-read")
        assert [item for item in router["middlewares"] if item.startswith("edge")] == [first], name
        assert ("Method(" in router["rule"]) == (first == "edge-read"), name


def test_no_secret_header_is_logged_and_nobody_may_set_forwarded_headers() -> None:
    static = yaml.safe_load((GATEWAY / "traefik.yml").read_text())
    headers = static["accessLog"]["fields"]["headers"]
    assert headers["defaultMode"] == "drop"
    assert headers["names"].keys() == {"X-Request-Id", "User-Agent"}
    assert static["accessLog"]["fields"]["queryParameters"] == {"defaultMode": "drop"}
    for name in ("web", "websecure"):
        assert static["entryPoints"][name]["forwardedHeaders"] == {"insecure": False, "trustedIPs": []}
    assert "api" not in static
