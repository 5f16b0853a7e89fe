"""HTTP of analytics."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from intervai_shared.app import provide
from intervai_shared.http.caching import cacheable_json
from intervai_shared.http.params import Limit
from qa_service.analytics.schemas import Trending
from qa_service.analytics.service import TrendingService

router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])
Topics = Annotated[TrendingService, Depends(provide(lambda container: container.trending))]
#: Seconds for which browsers and edges may keep the answer.
MAX_AGE_SECONDS = 300


@router.get("/trending", responses={200: {"model": Trending}})
async def trending(request: Request, topics: Topics, limit: Limit = 20) -> Response:
    """The topics that people prepare for now. Needs no login."""
    found = await topics.top(limit)
    return cacheable_json(request, found.model_dump(by_alias=True), MAX_AGE_SECONDS)
