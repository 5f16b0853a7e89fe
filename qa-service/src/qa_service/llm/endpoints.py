"""HTTP of what the language model costs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from qa_service.llm.schemas import Usage
from qa_service.llm.service import UsageService

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])
Uses = Annotated[UsageService, Depends(provide(lambda container: container.usage))]


@router.get("", response_model=Usage)
async def get_usage(user: CurrentUser, usage: Uses) -> Any:
    """What your use of the language model has cost, today and by day."""
    return await usage.of(user.id)
