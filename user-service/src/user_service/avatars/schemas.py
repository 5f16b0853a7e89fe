"""Requests and answers of the avatar routes."""

from typing import Annotated, Literal

from pydantic import Field

from intervai_shared.models import Id, InputModel, UtcTime, WireModel

MediaType = Literal["image/png", "image/jpeg", "image/webp"]


class AvatarUpload(InputModel):
    """The file that is to be uploaded."""

    content_type: MediaType
    size_bytes: int = Field(ge=1, le=2**31, examples=[48_211])


class StartedUpload(WireModel):
    """A form for the file: POST it to `url` as multipart/form-data, all `fields` first, the field `file` last."""

    upload_id: Id
    url: str
    method: Literal["POST"] = "POST"
    fields: dict[str, str]
    expires_at: UtcTime


class AvatarChoice(InputModel):
    """The upload that becomes the avatar."""

    upload_id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
