"""Answers of the privacy routes."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from intervai_shared.models import Id, UtcTime, WireModel

ErasureStatus = Literal["queued", "running", "succeeded"]


class StartedErasure(WireModel):
    """With the receipt anybody can look how far the erasure is, and gets the signed record: keep it."""

    job_id: Id
    status: ErasureStatus
    receipt: str = Field(examples=["3q2-7w..."])


class Erasure(WireModel):
    """`reports`: what each service has erased, by collection. `record`: the signed record (JWS), once all have."""

    id: Id = Field(validation_alias="_id")
    status: ErasureStatus
    requested_at: UtcTime
    finished_at: UtcTime | None
    waiting_for: list[str] = Field(description="The services that have not reported yet.")
    reports: dict[str, dict[str, int]]
    record: str | None


#: A job that has succeeded is a file that is ready.
DataStatus = Annotated[
    Literal["queued", "running", "ready", "failed", "cancelled"],
    BeforeValidator(lambda value: "ready" if value == "succeeded" else value),
]


class DataFile(WireModel):
    """All of one's data in one file. What tells of the file is left out until it is ready."""

    id: Id = Field(validation_alias="_id")
    status: DataStatus
    progress: int
    created_at: UtcTime
    error: str | None = None
    size_bytes: int | None = None
    download_url: str | None = Field(None, description="A signed URL, good until `expiresAt`.")
    expires_at: UtcTime | None = None
