"""HTTP of profiles."""

from typing import Annotated

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from user_service.profiles.schemas import Profile, ProfileChange
from user_service.profiles.service import ProfileService

router = APIRouter(prefix="/api/v1/users", tags=["users"])
Profiles = Annotated[ProfileService, Depends(provide(lambda container: container.profiles))]


@router.get("/me")
async def get_my_profile(user: CurrentUser, profiles: Profiles) -> Profile:
    """One's own profile."""
    return await profiles.get(user.id)


@router.patch("/me")
async def change_my_profile(body: ProfileChange, user: CurrentUser, profiles: Profiles) -> Profile:
    """Changes the fields that are given."""
    return await profiles.change(user.id, body)
