"""HTTP of preferences."""

from typing import Annotated

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from user_service.preferences.schemas import Preferences
from user_service.preferences.service import PreferencesService

router = APIRouter(prefix="/api/v1/users/me/preferences", tags=["users"])
Service = Annotated[PreferencesService, Depends(provide(lambda container: container.preferences))]


@router.get("")
async def get_my_preferences(user: CurrentUser, preferences: Service) -> Preferences:
    """One's preferences."""
    return await preferences.get(user.id)


@router.put("")
async def replace_my_preferences(body: Preferences, user: CurrentUser, preferences: Service) -> Preferences:
    """Sets all of them; what is left out goes back to its default."""
    return await preferences.replace(user.id, body)
