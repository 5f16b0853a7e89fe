"""HTTP of analytics."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.caching import Freshness, cacheable, cacheable_json
from intervai_shared.http.params import IdPath, Limit
from intervai_shared.models import WireModel
from intervai_shared.mongo import object_id
from qa_service.analytics.progress_service import ProgressService
from qa_service.analytics.schemas import MyAnalytics, SessionAnalytics, Trending
from qa_service.analytics.service import IF_ERROR_SECONDS, TrendingService

router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])
Topics = Annotated[TrendingService, Depends(provide(lambda container: container.trending))]
Progress = Annotated[ProgressService, Depends(provide(lambda container: container.progress))]
From = Annotated[date | None, Query(alias="from", description="First day. Default: 90 days with the last one.")]
To = Annotated[date | None, Query(description="Last day. Default: today, of UTC.")]
#: For browsers and edges.
FRESHNESS = Freshness(300, while_revalidating=60, if_error=IF_ERROR_SECONDS)


@router.get("/trending", responses={200: {"model": Trending}})
async def trending(request: Request, topics: Topics, limit: Limit = 20) -> Response:
    """The topics that people prepare for now. Needs no login."""
    found = await topics.top(limit)
    return cacheable(request, found.model_dump_json(by_alias=True).encode(), "application/json", FRESHNESS)


@router.get("/me", responses={200: {"model": MyAnalytics}})
async def mine(request: Request, user: CurrentUser, progress: Progress, first: From = None, to: To = None) -> Response:
    """What one has practised: totals, streak, scores by topic, and by day from `from` to `to` (366 days at most)."""
    return _private(request, await progress.mine(user.id, first, to))


@router.get("/sessions/{session_id}", responses={200: {"model": SessionAnalytics}})
async def of_session(session_id: IdPath, request: Request, user: CurrentUser, progress: Progress) -> Response:
    """What came of one session. It is there within a second of the session itself."""
    return _private(request, await progress.session(user.id, object_id(session_id)))


def _private(request: Request, answer: WireModel) -> Response:
    """Only the person's own cache may keep it, and asks each time whether it still holds."""
    return cacheable_json(request, answer.model_dump(mode="json", by_alias=True), 0, scope="private")
