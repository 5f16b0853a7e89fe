"""What export-service holds of people: who adds a collection, says it here."""

from export_service.exports.service import object_key
from intervai_shared.privacy.holdings import Holding, Holdings

HOLDINGS = Holdings(
    (
        Holding(
            "exports",
            shown=(
                "session",
                "sessions",
                "format",
                "of",
                "options",
                "status",
                "fileName",
                "sizeBytes",
                "contentHash",
                "sha256",
                "error",
                "createdAt",
                "updatedAt",
            ),
            jobs=True,
            files=lambda export: [object_key(export)],
        ),
    )
)
