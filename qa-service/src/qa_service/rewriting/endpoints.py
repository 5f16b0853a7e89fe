"""HTTP of rewriting."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import IdPath
from intervai_shared.mongo import object_id
from qa_service.generation.schemas import StartedGeneration
from qa_service.rewriting.schemas import RewritingRequest
from qa_service.rewriting.service import RewritingService

router = APIRouter(prefix="/api/v1/questions", tags=["questions"])
#: What is done when nothing is said.
ANOTHER = RewritingRequest()
Rewriting = Annotated[RewritingService, Depends(provide(lambda container: container.rewriting))]


@router.post("/{question_id}/regenerate", status_code=202, response_model=StartedGeneration)
async def regenerate(
    question_id: IdPath, user: CurrentUser, rewriting: Rewriting, body: RewritingRequest = ANOTHER
) -> Any:
    """Starts a job that has the question written anew; its pin and notes stay, and it can be undone."""
    job = await rewriting.start(user.id, object_id(question_id), body)
    return {"jobId": job["_id"], "status": job["status"]}
