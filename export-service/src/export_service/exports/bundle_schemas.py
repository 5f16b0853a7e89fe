"""The request for a bundle."""

from typing import Annotated

from pydantic import AfterValidator, Field

from export_service.exports.schemas import ExportOptions, Format, SessionId
from intervai_shared.models import InputModel

MOST_SESSIONS = 20


def _distinct(ids: list[str]) -> list[str]:
    if len(set(ids)) < len(ids):
        raise ValueError("each session once")
    return ids


class BundleRequest(InputModel):
    """Which sessions, in which order, as what: one ZIP archive with a file of each."""

    session_ids: Annotated[list[SessionId], Field(min_length=1, max_length=MOST_SESSIONS), AfterValidator(_distinct)]
    format: Format
    options: ExportOptions = ExportOptions()
