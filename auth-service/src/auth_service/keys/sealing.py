"""Signing keys as they lie in Mongo: the private part sealed with a key from the settings."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from intervai_shared.models import Document


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key (RFC 8037) as a process holds it. `signs_from`: epoch seconds."""

    kid: str
    number: int
    signs_from: float
    private: Ed25519PrivateKey

    def public_jwk(self) -> dict[str, str]:
        """Its public part (RFC 8037, section 2)."""
        raw = self.private.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig"}


class SealedOtherwiseError(Exception):
    """A stored signing key was sealed with another KEY_ENCRYPTION_KEY than this process has."""


class KeySeal:
    """Seals new keys and opens stored ones."""

    def __init__(self, master_key: bytes) -> None:
        sealing = HKDF(SHA256(), 32, salt=None, info=b"signing-key-seal").derive(master_key)
        self._fernet = Fernet(base64.urlsafe_b64encode(sealing))

    def new(self, number: int, created_at: float, signs_from: float) -> Document:
        """A new key as it is stored; times in epoch seconds."""
        return {
            "_id": secrets.token_hex(8),
            "number": number,
            "sealed": self._fernet.encrypt(Ed25519PrivateKey.generate().private_bytes_raw()),
            "createdAt": datetime.fromtimestamp(created_at, UTC),
            "signsFrom": datetime.fromtimestamp(signs_from, UTC),
        }

    def open(self, stored: Document) -> SigningKey:
        """Raises SealedOtherwiseError."""
        try:
            raw = self._fernet.decrypt(bytes(stored["sealed"]))
        except InvalidToken as error:
            complaint = "KEY_ENCRYPTION_KEY is not the one with which the stored signing keys were sealed"
            raise SealedOtherwiseError(complaint) from error
        private = Ed25519PrivateKey.from_private_bytes(raw)
        return SigningKey(stored["_id"], stored["number"], signs_from(stored), private)


def signs_from(stored: Document) -> float:
    """When a stored key begins to sign, in epoch seconds. The first keys of older versions have signed at once."""
    since: datetime = stored.get("signsFrom") or stored["createdAt"]
    return since.timestamp()
