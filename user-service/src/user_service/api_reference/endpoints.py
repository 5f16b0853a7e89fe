"""HTTP of the description of the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from intervai_shared.app import provide
from intervai_shared.http.caching import Freshness, cacheable
from user_service.api_reference.service import ApiReferenceService

router = APIRouter(tags=["about the API"])
ApiReference = Annotated[ApiReferenceService, Depends(provide(lambda container: container.api_reference))]
PUBLIC = frozenset({"/docs", "/docs/style.css", "/openapi.json"})
#: It changes with a release only; one that is a day old is better than none.
FRESHNESS = Freshness(300, while_revalidating=60, if_error=86_400)


@router.get("/openapi.json", responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}})
async def get_openapi(request: Request, reference: ApiReference) -> Response:
    """The public routes of all services (OpenAPI 3.1)."""
    return cacheable(request, (await reference.current()).openapi, "application/json", FRESHNESS)


@router.get("/docs", response_class=Response, responses={200: {"content": {"text/html": {}}}})
async def get_docs(request: Request, reference: ApiReference) -> Response:
    """The same for people: this page."""
    return cacheable(request, (await reference.current()).page, "text/html; charset=utf-8", FRESHNESS)


@router.get("/docs/style.css", response_class=Response, responses={200: {"content": {"text/css": {}}}})
async def get_style(request: Request, reference: ApiReference) -> Response:
    """The page's style sheet."""
    return cacheable(request, reference.style, "text/css; charset=utf-8", FRESHNESS)
