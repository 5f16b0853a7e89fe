"""The tokens of letters: `<id>.<mac>`. Those that are good once have the id of the letter, the one by which its reader
gets no more of them has the id of the person.

As with refresh tokens (docs/decisions/0003), nothing that is stored or queued lets its reader make one: the worker
makes the token when it writes the letter out, and what it is good for stands in the letter's record.
"""

import base64
import hashlib
import hmac

from bson import ObjectId
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class LetterTokens:
    """Makes and reads them. One that was made for another purpose is not genuine."""

    def __init__(self, master_key: bytes, purpose: bytes = b"letter-token") -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=purpose).derive(master_key)

    def of(self, named: ObjectId) -> str:
        """The token of an id: 24 hex digits, a point, 256 bits in base64url."""
        digest = hmac.digest(self._key, named.binary, hashlib.sha256)
        return f"{named}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def id_in(self, token: str) -> ObjectId | None:
        """The id that a genuine token names; None for any other text, at no cost to the database."""
        name, _, _ = token.partition(".")
        if not ObjectId.is_valid(name) or not hmac.compare_digest(token.encode(), self.of(ObjectId(name)).encode()):
            return None
        return ObjectId(name)
