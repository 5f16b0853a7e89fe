"""HTTP of explanations."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import IdPath
from intervai_shared.mongo import object_id
from qa_service.explanations.schemas import Explanation, StartedExplanation
from qa_service.explanations.service import ExplanationService

router = APIRouter(prefix="/api/v1/questions/{question_id}/explanation", tags=["questions"])
Explanations = Annotated[ExplanationService, Depends(provide(lambda container: container.explanations))]
_STARTED: dict[int | str, dict[str, Any]] = {202: {"model": StartedExplanation, "description": "A job makes it."}}


@router.post("", response_model=Explanation | StartedExplanation, responses=_STARTED)
async def explain(question_id: IdPath, user: CurrentUser, explanations: Explanations, response: Response) -> Any:
    """The deeper explanation of a question, if there is one for what it says now; else the job that makes it (202)."""
    answer = await explanations.ask(user.id, object_id(question_id))
    if "kind" not in answer:
        return Explanation.model_validate(answer)
    response.status_code = 202
    return StartedExplanation(job_id=answer["_id"], status=answer["status"])


@router.get("", response_model=Explanation)
async def get_explanation(question_id: IdPath, user: CurrentUser, explanations: Explanations) -> Any:
    """The explanation that there is. `isStale`: the question has been changed since."""
    return await explanations.get(user.id, object_id(question_id))
