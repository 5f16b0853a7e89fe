"""HTTP of attempts and drafts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.mongo import object_id
from qa_service.practice.drafts import DraftService
from qa_service.practice.schemas import Attempt, AttemptPage, Draft, DraftChange, NewAttempt, StartedAttempt
from qa_service.practice.service import AttemptService

router = APIRouter(prefix="/api/v1", tags=["practice"])
Attempts = Annotated[AttemptService, Depends(provide(lambda container: container.attempts))]
Drafts = Annotated[DraftService, Depends(provide(lambda container: container.drafts))]


@router.post("/questions/{question_id}/attempts", status_code=202, response_model=StartedAttempt)
async def hand_in(question_id: IdPath, body: NewAttempt, user: CurrentUser, attempts: Attempts) -> Any:
    """Hands an answer in; a job scores it. The draft is gone then."""
    return await attempts.start(user.id, object_id(question_id), body)


@router.get("/questions/{question_id}/attempts", response_model=AttemptPage)
async def list_attempts(
    question_id: IdPath, user: CurrentUser, attempts: Attempts, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """One's attempts at a question, the newest first."""
    return await attempts.page(user.id, object_id(question_id), limit, cursor)


@router.get("/attempts/{attempt_id}", response_model=Attempt)
async def get_attempt(attempt_id: IdPath, user: CurrentUser, attempts: Attempts) -> Any:
    """One attempt, with its score as soon as there is one."""
    return await attempts.get(user.id, object_id(attempt_id))


@router.delete("/attempts/{attempt_id}", status_code=204)
async def delete_attempt(attempt_id: IdPath, user: CurrentUser, attempts: Attempts) -> None:
    """Removes an attempt."""
    await attempts.delete(user.id, object_id(attempt_id))


@router.put("/questions/{question_id}/draft", response_model=Draft)
async def save_draft(question_id: IdPath, body: DraftChange, user: CurrentUser, drafts: Drafts) -> Any:
    """Saves what was typed so far; 409 when a newer version was saved."""
    return await drafts.save(user.id, object_id(question_id), body)


@router.get("/questions/{question_id}/draft", response_model=Draft)
async def get_draft(question_id: IdPath, user: CurrentUser, drafts: Drafts) -> Any:
    """What was typed so far."""
    return await drafts.get(user.id, object_id(question_id))


@router.delete("/questions/{question_id}/draft", status_code=204)
async def delete_draft(question_id: IdPath, user: CurrentUser, drafts: Drafts) -> None:
    """Throws the draft away."""
    await drafts.delete(user.id, object_id(question_id))
