"""Requests and answers of the résumé routes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from intervai_shared.models import Id, InputModel, Resource, Text, UtcTime, WireModel

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MediaType = Literal["application/pdf", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/plain"]  # fmt: skip
FileName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class ResumeUpload(InputModel):
    """The file that is to be uploaded."""

    content_type: MediaType
    size_bytes: int = Field(ge=1, le=2**31, examples=[48_211])
    file_name: FileName = "résumé"


class StartedUpload(WireModel):
    """A form for the file: POST it to `url` as multipart/form-data, all `fields` first, the field `file` last."""

    upload_id: Id
    url: str
    method: Literal["POST"] = "POST"
    fields: dict[str, str]
    expires_at: UtcTime


class NewResume(InputModel):
    """The upload that is to be read."""

    upload_id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")]


class StartedReading(WireModel):
    """The job that reads it; follow it under /api/v1/jobs/{jobId}. When it has succeeded, there is the résumé."""

    job_id: Id
    resume_id: Id


class Resume(Resource):
    """A résumé that has been read. `characters`: how long its text is."""

    file_name: str
    content_type: str
    size_bytes: int
    characters: int


class ResumeWithText(Resume):
    """A résumé with the text that was found in it: what generations get to see."""

    text: str
