"""HTTP of mock interviews."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id
from qa_service.mock_interviews.schemas import Interview, InterviewAnswer, InterviewStart, InterviewSummary
from qa_service.mock_interviews.service import InterviewService

router = APIRouter(prefix="/api/v1", tags=["mock interviews"])
Interviews = Annotated[InterviewService, Depends(provide(lambda container: container.interviews))]
OfSession = Annotated[str | None, Query(alias="sessionId", pattern="^[0-9a-f]{24}$")]


@router.post("/sessions/{session_id}/interviews", status_code=201, response_model=Interview)
async def start_interview(session_id: IdPath, body: InterviewStart, user: CurrentUser, interviews: Interviews) -> Any:
    """Begins a mock interview: its clock runs from now, and `question` is the first one."""
    return await interviews.start(user.id, object_id(session_id), body)


@router.get("/interviews", response_model=Page[InterviewSummary])
async def list_interviews(
    user: CurrentUser, interviews: Interviews, session: OfSession = None, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """One's mock interviews, the newest first."""
    return await interviews.page(user.id, object_id(session) if session else None, limit, cursor)


@router.get("/interviews/{interview_id}", response_model=Interview)
async def get_interview(interview_id: IdPath, user: CurrentUser, interviews: Interviews) -> Any:
    """How it stands: the question of now, the time that is left, the scores that have come; at the end the report."""
    return await interviews.get(user.id, object_id(interview_id))


@router.post("/interviews/{interview_id}/answers", response_model=Interview)
async def answer(interview_id: IdPath, body: InterviewAnswer, user: CurrentUser, interviews: Interviews) -> Any:
    """Answers or skips the question of now; the answer has the next one, or the end."""
    return await interviews.answer(user.id, object_id(interview_id), body)


@router.post("/interviews/{interview_id}/finish", response_model=Interview)
async def finish_interview(interview_id: IdPath, user: CurrentUser, interviews: Interviews) -> Any:
    """Ends a mock interview early."""
    return await interviews.finish(user.id, object_id(interview_id))
