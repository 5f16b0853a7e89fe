"""The key ring: Ed25519 keys (RFC 8037), private parts sealed with a key from the settings."""

import asyncio
import base64
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pymongo.errors import DuplicateKeyError

from auth_service.keys.repository import KeyRepository
from intervai_shared.models import Document, utc_now

#: Seconds between looks for keys that another process has made.
RELOAD_SECONDS = 60.0


@dataclass(frozen=True)
class SigningKey:
    """A key as a process holds it."""

    kid: str
    private: Ed25519PrivateKey

    def public_jwk(self) -> dict[str, str]:
        """Its public part (RFC 8037, section 2)."""
        raw = self.private.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig"}


class SealedOtherwiseError(Exception):
    """A stored signing key was sealed with another KEY_ENCRYPTION_KEY than this process has."""


class KeyRing:
    """All keys; the newest signs, all are published."""

    def __init__(self, keys: KeyRepository, master_key: bytes) -> None:
        self._repository = keys
        sealing = HKDF(SHA256(), 32, salt=None, info=b"signing-key-seal").derive(master_key)
        self._seal = Fernet(base64.urlsafe_b64encode(sealing))
        self._keys: list[SigningKey] = []

    @property
    def signing(self) -> SigningKey:
        """The key that signs now."""
        return self._keys[0]

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517)."""
        return {"keys": [key.public_jwk() for key in self._keys]}

    async def load(self) -> None:
        """Reads the keys, and makes the first one if there is none.

        Raises:
            SealedOtherwiseError: they were sealed with another KEY_ENCRYPTION_KEY.
        """
        stored = await self._repository.all()
        if not stored:
            with suppress(DuplicateKeyError):
                await self._repository.insert(self._new(number=1))
            stored = await self._repository.all()
        self._keys = [self._open(document) for document in stored]

    async def follow(self) -> None:
        """Reads the keys again now and then, for ever."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await self.load()

    def _new(self, number: int) -> Document:
        sealed = self._seal.encrypt(Ed25519PrivateKey.generate().private_bytes_raw())
        return {"_id": secrets.token_urlsafe(12), "number": number, "sealed": sealed, "createdAt": utc_now()}

    def _open(self, document: Document) -> SigningKey:
        try:
            raw = self._seal.decrypt(bytes(document["sealed"]))
        except InvalidToken as error:
            complaint = "KEY_ENCRYPTION_KEY is not the one with which the stored signing keys were sealed"
            raise SealedOtherwiseError(complaint) from error
        return SigningKey(document["_id"], Ed25519PrivateKey.from_private_bytes(raw))
