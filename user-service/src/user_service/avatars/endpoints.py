"""HTTP of avatars."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.mongo import object_id
from user_service.avatars.schemas import AvatarChoice, AvatarUpload, StartedUpload
from user_service.avatars.service import AvatarService
from user_service.profiles.schemas import Profile

router = APIRouter(prefix="/api/v1/users/me/avatar", tags=["users"])
Avatars = Annotated[AvatarService, Depends(provide(lambda container: container.avatars))]


@router.post("", status_code=201, response_model=StartedUpload)
async def start_avatar_upload(body: AvatarUpload, user: CurrentUser, avatars: Avatars) -> Any:
    """A form that uploads a picture straight to the file store, for some minutes."""
    return await avatars.start(user.id, body)


@router.put("")
async def choose_avatar(body: AvatarChoice, user: CurrentUser, avatars: Avatars) -> Profile:
    """Makes of what was uploaded one's avatar; the profile with it."""
    return await avatars.choose(user.id, object_id(body.upload_id))


@router.delete("", status_code=204)
async def delete_avatar(user: CurrentUser, avatars: Avatars) -> None:
    """Removes one's avatar, if there is one."""
    await avatars.delete(user.id)
