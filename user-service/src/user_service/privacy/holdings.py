"""What user-service holds of people: who adds a collection, says it here."""

from intervai_shared.privacy.holdings import Holding, Holdings
from user_service.avatars.service import key_of, upload_key_of

_PROFILE = ("email", "fullName", "headline", "targetRole", "experience", "locale", "timeZone", "createdAt", "updatedAt")
HOLDINGS = Holdings(
    (
        Holding("profiles", owner=("_id",), shown=_PROFILE),
        Holding("preferences", owner=("_id",), shown=("mail", "notifications", "defaultExportFormat", "updatedAt")),
        Holding("notifications", shown=("kind", "title", "text", "data", "readAt", "createdAt")),
        Holding("notification_totals", owner=("_id",)),
        Holding(
            "avatars",
            shown=("contentType", "sizeBytes", "state", "createdAt"),
            files=lambda avatar: [key_of(avatar), upload_key_of(avatar)],
            uploads=lambda avatar: [upload_key_of(avatar)],
        ),
        Holding(
            "data_files", shown=("status", "sizeBytes", "createdAt"), jobs=True, files=lambda file: [str(file["key"])]
        ),
    ),
    impersonal={"erasure_records": "who was erased, by the bare id, with counts: what remains on purpose"},
)
