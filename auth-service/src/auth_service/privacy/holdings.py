"""What auth-service holds of people: who adds a collection, says it here."""

from intervai_shared.privacy.holdings import Holding, Holdings

HOLDINGS = Holdings(
    (
        # First: once it is gone nobody logs in as the person any more.
        Holding(
            "accounts", owner=("_id",), shown=("email", "emailVerifiedAt", "roles", "devices", "createdAt", "updatedAt")
        ),
        Holding("letters", shown=("kind", "to", "status", "createdAt"), jobs=True),
        Holding("audit", shown=("event", "result", "at", "address", "userAgent", "details")),
    ),
    impersonal={"signing_keys": "the keys of the suite"},
)
