"""Requests and answers of the export routes."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from intervai_shared.models import Id, InputModel, Resource, UtcTime, WireModel

Format = Literal["pdf", "docx", "md", "csv", "json", "apkg"]
Difficulty = Literal["easy", "medium", "hard"]
Paper = Literal["a4", "letter"]
Locale = Literal["en", "de", "fr", "es", "ja"]
#: A job that has succeeded is an export that is ready.
Status = Annotated[
    Literal["queued", "running", "ready", "failed", "cancelled", "expired"],
    BeforeValidator(lambda value: "ready" if value == "succeeded" else value),
]
SessionId = Annotated[str, Field(pattern="^[0-9a-f]{24}$", examples=["665f1c2e9b1d8a0012345678"])]


class ExportOptions(InputModel):
    """What goes into the file, and how it looks. A format takes no notice of what means nothing to it."""

    only_pinned: bool = False
    difficulties: Annotated[list[Difficulty], Field(max_length=3)] = Field(
        [], description="Of these only; none: of all."
    )
    include_answers: bool = True
    include_notes: bool = True
    paper: Paper = Field("a4", description="Of PDF and DOCX.")
    locale: Locale = Field("en", description="The language of headings and dates, not of the questions.")
    bom: bool = Field(False, description="CSV begins with a byte order mark, which some spreadsheets need.")


class ExportRequest(InputModel):
    """Which session, as what."""

    session_id: SessionId
    format: Format
    options: ExportOptions = ExportOptions()


class StartedExport(WireModel):
    """Ask GET /api/v1/exports/{id} until it is ready."""

    id: Id
    status: Status


class Export(Resource):
    """An export. What tells of the file is null until it is ready; `error` is a sentence for the person."""

    session_id: Id | None = Field(None, validation_alias="session", description="Null for a bundle.")
    session_ids: list[Id] | None = Field(None, validation_alias="sessions", description="Of a bundle, in its order.")
    format: Format | Literal["zip"]
    of: Format | None = Field(None, description="The format of the files in a bundle.")
    options: dict[str, Any]
    status: Status
    progress: int
    error: str | None = None
    file_name: str | None = None
    size_bytes: int | None = None
    content_hash: str | None = Field(None, description="64 hex digits: the same content is the same export.")
    sha256: str | None = Field(None, description="Of the file's bytes, 64 hex digits.")
    download_url: str | None = None
    expires_at: UtcTime | None = None
