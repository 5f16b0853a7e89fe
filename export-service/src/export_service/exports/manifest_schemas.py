"""Requests and answers of the manifest routes."""

from typing import Annotated, Any

from pydantic import Field

from intervai_shared.models import InputModel, WireModel


class Claims(WireModel):
    """What a manifest says of a file."""

    iss: str = Field(description="Who has signed it.")
    iat: int = Field(description="When the file was made, in seconds since 1970.")
    export_id: str
    session_id: str | None = Field(description="Null for a bundle, which has `sessionIds`.")
    session_ids: list[str] | None
    format: str
    options: dict[str, Any]
    content_hash: str = Field(description="Of what is in the file, whatever its bytes: 64 hex digits.")
    sha256: str = Field(description="Of the file's bytes: 64 hex digits.")
    size_bytes: int
    file_name: str
    made_at: str = Field(description="RFC 3339, as it was signed.", examples=["2026-03-05T10:00:00+00:00"])


class Manifest(Claims):
    """`manifest`: a JWS (RFC 7515) by Ed25519 over all the rest. Keep it beside the file."""

    manifest: str = Field(examples=["eyJhbGciOiJFZERTQSIs…"])


class ManifestCheck(InputModel):
    """A manifest, and the SHA-256 of the file as it is now."""

    manifest: Annotated[str, Field(max_length=16_384, pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")]
    sha256: Annotated[str, Field(pattern="^[0-9A-Fa-f]{64}$")]


class Verdict(WireModel):
    """`reason`: a sentence, unless the file is as we made it. `claims`: what we have signed, if it was us."""

    is_ours: bool
    is_unchanged: bool
    reason: str | None
    claims: Claims | None
