"""Answers of the job routes."""

from typing import Any, Literal

from intervai_shared.models import Resource

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Job(Resource):
    """A job. `progress` is 0 to 100; `error` is a sentence for the person."""

    kind: str
    status: Status
    progress: int
    result: dict[str, Any] | None = None
    error: str | None = None
