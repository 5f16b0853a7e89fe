"""HTTP of generation."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import IdPath
from intervai_shared.mongo import object_id
from qa_service.generation.schemas import GenerationRequest, StartedGeneration
from qa_service.generation.service import GenerationService

router = APIRouter(prefix="/api/v1/sessions", tags=["generation"])
Generations = Annotated[GenerationService, Depends(provide(lambda container: container.generation))]


@router.post("/{session_id}/generations", status_code=202, response_model=StartedGeneration)
async def generate(session_id: IdPath, body: GenerationRequest, user: CurrentUser, generations: Generations) -> Any:
    """Starts a job that makes more questions for a session."""
    job = await generations.start(user.id, object_id(session_id), body)
    return {"jobId": job["_id"], "status": job["status"]}
