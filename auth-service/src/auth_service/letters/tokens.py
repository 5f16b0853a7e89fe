"""The one-time tokens of letters: `<letter id>.<mac>`.

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
    """Makes and reads them."""

    def __init__(self, master_key: bytes) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"letter-token").derive(master_key)

    def of(self, letter_id: ObjectId) -> str:
        """The token of a letter: 24 hex digits, a point, 256 bits in base64url."""
        digest = hmac.digest(self._key, letter_id.binary, hashlib.sha256)
        return f"{letter_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def letter_id(self, token: str) -> ObjectId | None:
        """The letter that a genuine token names; None for any other text, at no cost to the database."""
        name, _, _ = token.partition(".")
        if not ObjectId.is_valid(name) or not hmac.compare_digest(token.encode(), self.of(ObjectId(name)).encode()):
            return None
        return ObjectId(name)
