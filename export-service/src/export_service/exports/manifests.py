"""Manifests: signed records of what a file was when it was made, with which anybody can tell whether it has changed."""

from typing import Any

from bson import ObjectId

from export_service.exports.service import ExportService
from intervai_shared.errors import ConflictError
from intervai_shared.models import Document
from intervai_shared.signing import RecordSigner

#: What a signed record is one of: part of its `typ`, and of how its key is derived.
RECORD_KIND = "export-manifest"
NOT_OURS = "It was not signed by us, or with a key that we no longer have."
CHANGED = "We have signed it, for a file with other bytes."


class ManifestService:
    """Signs manifests, and checks them. Nothing is stored: the same export always gets the same manifest."""

    def __init__(self, exports: ExportService, signer: RecordSigner, issuer: str) -> None:
        self._exports = exports
        self._signer = signer
        self._issuer = issuer

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document:
        """`{manifest, ...claims}` of an export.

        Raises:
            NotFoundError: the user has no such export.
            ConflictError: it is not ready.
        """
        export = await self._exports.get(user, export_id)
        if export["status"] != "succeeded":
            raise ConflictError(f"The export is not ready: {export['status']}.")
        if "sha256" not in export:
            raise ConflictError("The export is from before there were manifests. Please make it again.")
        claims = self._claims(export)
        return {"manifest": self._signer.sign(claims), **claims}

    def verify(self, manifest: str, sha256: str) -> Document:
        """Whether a manifest is ours, and whether a file with this SHA-256 (hex) is the one that it tells of."""
        claims = self._signer.claims(manifest)
        if claims is None:
            return {"isOurs": False, "isUnchanged": False, "reason": NOT_OURS, "claims": None}
        is_unchanged = claims["sha256"] == sha256.lower()
        reason = None if is_unchanged else CHANGED
        return {"isOurs": True, "isUnchanged": is_unchanged, "reason": reason, "claims": claims}

    def keys(self) -> dict[str, Any]:
        """The public key of manifests, as a JWK Set."""
        return self._signer.jwks()

    def _claims(self, export: Document) -> dict[str, Any]:
        """`iat` is when the file was made, not now: so the manifest is always the same."""
        return {
            "iss": self._issuer,
            "iat": int(export["finishedAt"].timestamp()),
            "exportId": str(export["_id"]),
            "sessionId": str(export["session"]) if "session" in export else None,
            "sessionIds": [str(session) for session in export["sessions"]] if "sessions" in export else None,
            "format": export["format"],
            "options": export["options"],
            "contentHash": export["contentHash"],
            "sha256": export["sha256"],
            "sizeBytes": export["sizeBytes"],
            "fileName": export["fileName"],
            "madeAt": export["finishedAt"].isoformat(),
        }
