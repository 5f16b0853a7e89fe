"""HTTP of links that show a session."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.address import client_address
from intervai_shared.http.caching import Freshness, cacheable
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page, utc_now
from intervai_shared.mongo import object_id
from qa_service.shares.links import PRIVATE_HEADERS, UNLISTED_HEADERS
from qa_service.shares.schemas import NewLinkToSession, NewShare, Share, SharedSession
from qa_service.shares.service import ShareService

router = APIRouter(prefix="/api/v1", tags=["shares"])
Shares = Annotated[ShareService, Depends(provide(lambda container: container.shares))]
#: A body that may be left out.
NewShareBody = Annotated[NewShare, Body(default_factory=NewShare)]
#: Who has the link needs no account.
PUBLIC = frozenset({"/api/v1/shared/sessions/{token}"})
#: Seconds for which an edge may show it without asking: so long a revoked link may still work there. A browser asks
#: each time (docs/decisions/0027-what-an-edge-may-keep.md).
EDGE_SECONDS = 30


@router.post("/sessions/{session_id}/shares", status_code=201, response_model=NewLinkToSession)
async def share_session(
    session_id: IdPath, body: NewShareBody, user: CurrentUser, shares: Shares, response: Response
) -> Any:
    """A secret link that shows the session to anybody who has it, until it expires or is revoked."""
    response.headers.update(PRIVATE_HEADERS)
    return await shares.add(user.id, object_id(session_id), body)


@router.get("/sessions/{session_id}/shares", response_model=Page[Share])
async def list_shares(
    session_id: IdPath, user: CurrentUser, shares: Shares, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """The links to a session, the newest first; of the expired ones those of the last month."""
    return await shares.page(user.id, object_id(session_id), limit, cursor)


@router.delete("/sessions/{session_id}/shares/{share_id}", status_code=204)
async def revoke_share(session_id: IdPath, share_id: IdPath, user: CurrentUser, shares: Shares) -> None:
    """Ends a link: at once here, within 30 s where a cache in front of us has the session."""
    await shares.revoke(user.id, object_id(session_id), object_id(share_id))


@router.get("/shared/sessions/{token}", responses={200: {"model": SharedSession}})
async def get_shared_session(token: str, request: Request, shares: Shares) -> Response:
    """The session of a link, for anybody who has it."""
    shown = SharedSession.model_validate(await shares.show(token, client_address(request)))
    left = int((shown.expires_at - utc_now()).total_seconds())
    freshness = Freshness(0, edge=max(0, min(EDGE_SECONDS, left)))
    body = shown.model_dump_json(by_alias=True, exclude_none=True).encode()
    answer = cacheable(request, body, "application/json", freshness)
    answer.headers.update(UNLISTED_HEADERS)
    return answer
