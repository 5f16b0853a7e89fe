"""HTTP of the review queue."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CallingService, CurrentUser
from intervai_shared.http.params import IdPath, Limit
from intervai_shared.mongo import object_id
from qa_service.reviews.schemas import AddedCards, Card, DueCards, NewReview, ReviewList, ReviewStats, WaitingQuestions
from qa_service.reviews.service import ReviewService

router = APIRouter(prefix="/api/v1", tags=["reviews"])
internal = APIRouter(prefix="/internal", tags=["internal"])
Reviews = Annotated[ReviewService, Depends(provide(lambda container: container.reviews))]


@router.get("/reviews/due", response_model=DueCards)
async def due(user: CurrentUser, reviews: Reviews, limit: Limit = 20) -> Any:
    """The questions to go through now."""
    return await reviews.due(user.id, limit)


@router.get("/reviews/stats", response_model=ReviewStats)
async def stats(user: CurrentUser, reviews: Reviews) -> Any:
    """The queue in numbers."""
    return await reviews.stats(user.id)


@router.get("/reviews/{question_id}", response_model=Card)
async def get_card(question_id: IdPath, user: CurrentUser, reviews: Reviews) -> Any:
    """How a question stands in the queue."""
    return await reviews.get(user.id, object_id(question_id))


@router.get("/reviews/{question_id}/log", response_model=ReviewList)
async def log(question_id: IdPath, user: CurrentUser, reviews: Reviews, limit: Limit = 20) -> Any:
    """The newest reviews of a question."""
    return await reviews.log(user.id, object_id(question_id), limit)


@router.post("/reviews/{question_id}", response_model=Card)
async def review(question_id: IdPath, body: NewReview, user: CurrentUser, reviews: Reviews) -> Any:
    """Says how well a question was remembered, and so when it comes back. The first time it joins the queue."""
    return await reviews.review(user.id, object_id(question_id), body)


@router.delete("/reviews/{question_id}", status_code=204)
async def remove(question_id: IdPath, user: CurrentUser, reviews: Reviews) -> None:
    """Takes a question out of the queue."""
    await reviews.remove(user.id, object_id(question_id))


@router.post("/sessions/{session_id}/reviews", response_model=AddedCards)
async def add_session(session_id: IdPath, user: CurrentUser, reviews: Reviews, pinned: bool | None = None) -> Any:
    """Adds the questions of a session to the queue."""
    return await reviews.add_session(user.id, object_id(session_id), pinned)


@internal.get("/users/{user_id}/reviews/due", response_model=WaitingQuestions)
async def waiting(user_id: IdPath, _: CallingService, reviews: Reviews, limit: Limit = 20) -> Any:
    """What a user has to go through now, for the service that writes them a letter of it. Nobody has nothing to do."""
    return await reviews.waiting(object_id(user_id), limit)
