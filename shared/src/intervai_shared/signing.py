"""Signed records: JWS (RFC 7515) by Ed25519 (RFC 8037), which anybody can check who has the public key.

One secret of 32 bytes is in the settings; each kind of record gets a key of its own from it (HKDF, RFC 5869), so that
the signature of one kind can never be passed off as that of another.
"""

import base64
import hashlib
import hmac
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.types import Options
from pydantic import Field, SecretStr

from intervai_shared.settings import MasterKey, ServiceSettings

ALGORITHM = "EdDSA"
#: A record is kept: it is valid for no audience and no time.
_SIGNATURE_ONLY: Options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}


class SigningSettings(ServiceSettings):
    """Settings of a service that signs records."""

    record_signing_key: MasterKey = Field(
        description="32 random bytes, base64url: signs records that people keep. Another key makes new records only."
    )


class RecordSigner:
    """Signs records of one kind, such as `erasure`. Takes 0.1 ms: done on the event loop."""

    def __init__(self, secret: SecretStr, kind: str) -> None:
        self._kind = kind
        self._master = base64.urlsafe_b64decode(secret.get_secret_value())
        self._private = Ed25519PrivateKey.from_private_bytes(self._derive("record"))
        raw = self._private.public_key().public_bytes_raw()
        self._jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
        self._kid = self.thumbprint()

    def thumbprint(self) -> str:
        """Of the public key, which is its id (RFC 7638): its required members, in order, without white space."""
        return _base64url(hashlib.sha256(orjson.dumps(self._jwk)).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWS in compact form; its `typ` names the kind of record."""
        headers = {"kid": self._kid, "typ": f"{self._kind}+jwt"}
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers=headers)

    def claims(self, record: str) -> dict[str, Any] | None:
        """What a record says; None of any text that is no record of this kind signed with this key."""
        try:
            decoded = jwt.decode_complete(
                record, self._private.public_key(), algorithms=[ALGORITHM], options=_SIGNATURE_ONLY
            )
        except (jwt.PyJWTError, RecursionError):  # the latter: JSON that is nested too deeply
            return None
        claims: dict[str, Any] = decoded["payload"]
        return claims if decoded["header"].get("typ") == f"{self._kind}+jwt" else None

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK Set (RFC 7517)."""
        return {"keys": [{**self._jwk, "kid": self._kid, "alg": ALGORITHM, "use": "sig"}]}

    def receipt(self, subject: str) -> str:
        """256 bits that only we can make of a subject: always the same, and of no use to find out the subject."""
        return _base64url(hmac.digest(self._derive("receipt"), subject.encode(), hashlib.sha256))

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=f"{self._kind}-{purpose}".encode()).derive(self._master)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
