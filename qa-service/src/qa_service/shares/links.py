"""Secret links. Who knows the token may look; we know its hash only, so a copy of the database opens nothing."""

import hashlib
import secrets
from dataclasses import dataclass, field

from intervai_shared.errors import ConflictError
from intervai_shared.models import Document

#: 256 bits: nobody guesses one, so an unsalted hash of it cannot be searched for either.
TOKEN_BYTES = 32
#: Whoever has the token and where it leads are one: neither may go on to search engines or other sites.
UNLISTED_HEADERS = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}
#: Nor to caches.
PRIVATE_HEADERS = {"Cache-Control": "no-store", **UNLISTED_HEADERS}


def hash_of(token: str) -> str:
    """What is stored of a token. It is looked up by this, so that the time of a look tells nothing of another token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class NewLink:
    """A token that was made for this request."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)

    @property
    def hash(self) -> str:
        """See `hash_of`."""
        return hash_of(self.token)

    def require_stored(self, stored: Document) -> None:
        """A request that is sent again with its idempotency key finds what its first time has stored: another token,
        which nobody can show any more.

        Raises:
            ConflictError: so it is.
        """
        if stored["tokenHash"] != self.hash:
            raise ConflictError("This link has been made, and its token is shown only once. Revoke it, make another.")
