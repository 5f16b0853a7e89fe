"""One description of all four services' routes."""

import asyncio
import re

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.e2e.routes import all_routes
from user_service.api_reference.examples import example


@pytest.fixture(autouse=True)
async def made(gateway: httpx.AsyncClient) -> None:
    """The services take a second to describe themselves for the first time; on a busy machine that may be too long."""
    async with asyncio.timeout(60):
        while (answer := await gateway.get("/openapi.json")).status_code == 503:
            assert "retry-after" in answer.headers
            await asyncio.sleep(1)


async def test_the_document_is_valid_and_tells_every_public_route_of_all_services(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    told = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert told == {str(route) for route in all_routes() if not route.is_internal}
    assert "/internal/" not in answer.text
    by_route = {(method, path): one for path, item in document["paths"].items() for method, one in item.items()}
    for route in all_routes():
        if not route.is_internal:
            needed = by_route[route.method.lower(), route.path]["security"]
            assert needed == ([] if route.is_public else [{"accessToken": []}]), route
    ids = [operation["operationId"] for operation in by_route.values()]
    assert len(ids) == len(set(ids))


async def test_each_example_fits_its_schema_and_each_error_is_a_problem(gateway: httpx.AsyncClient) -> None:
    document = (await gateway.get("/openapi.json")).json()
    components, checked, problems = document["components"], 0, 0
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["responses"]["default"]["$ref"] == "#/components/responses/Error"
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                for kind, content in holder.get("content", {}).items():
                    if kind == "application/json" and content.get("schema"):
                        value = example(content["schema"], components["schemas"])
                        jsonschema.validate(value, {**content["schema"], "components": components})
                        checked += 1
    for told in components["responses"].values():
        content = told["content"]["application/problem+json"]
        jsonschema.validate(content["example"], {**content["schema"], "components": components})
        problems += 1
    assert checked >= 100
    assert problems >= 4


async def test_a_true_error_fits_the_schema_of_errors(gateway: httpx.AsyncClient) -> None:
    document = (await gateway.get("/openapi.json")).json()
    schema = document["components"]["schemas"]["Problem"]
    for answer in (await gateway.get("/api/v1/sessions"), await gateway.post("/api/v1/auth/login", json={})):
        assert answer.is_error
        jsonschema.validate(answer.json(), schema)


async def test_the_page_shows_every_route_and_works_under_its_policy(gateway: httpx.AsyncClient) -> None:
    page = await gateway.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    for header in ("x-content-type-options", "referrer-policy", "permissions-policy"):
        assert header in page.headers
    assert "<script" not in page.text
    assert "style=" not in page.text
    (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    style = await gateway.get(sheet)
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    for route in all_routes():
        if not route.is_internal:
            assert f"<code>{route.path}</code>" in page.text
    # Elsewhere the policy is as strict as ever.
    assert "style-src" not in (await gateway.get("/api/v1/sessions")).headers["content-security-policy"]
