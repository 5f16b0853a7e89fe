"""HTTP of the public keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from auth_service.keys.lives import MAX_AGE_SECONDS
from auth_service.keys.service import KeyRing
from intervai_shared.app import provide
from intervai_shared.http.caching import cacheable_json

router = APIRouter(tags=["keys"])


@router.get("/.well-known/jwks.json")
async def jwks(
    request: Request, keys: Annotated[KeyRing, Depends(provide(lambda container: container.keys))]
) -> Response:
    """The keys with which access tokens are checked (RFC 7517)."""
    return cacheable_json(request, keys.jwks(), MAX_AGE_SECONDS)
