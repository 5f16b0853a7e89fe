"""Time-based one-time codes (RFC 6238) as every authenticator app makes them: SHA-1, six digits, thirty seconds."""

import secrets
import time

import pyotp
from bson import ObjectId
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyotp.exceptions import OTPVerificationError

#: Steps before and after the present one whose codes are taken: clocks differ, people type slowly.
WINDOW = 1
NONCE_BYTES = 12


class Authenticator:
    """Makes and seals secrets, and knows which step a code is of. The seal names the account, so that a sealed secret
    which somebody writes into another account's document does not open there."""

    def __init__(self, master_key: bytes, issuer: str) -> None:
        self._seal = AESGCM(HKDF(SHA256(), 32, salt=None, info=b"totp-secret-seal").derive(master_key))
        self._issuer = issuer

    def new_secret(self) -> str:
        """160 random bits in base32, as RFC 4226 section 4 recommends."""
        return pyotp.random_base32()

    def uri(self, secret: str, email: str) -> str:
        """What an app reads from a QR code (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
        return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=self._issuer)

    def sealed(self, secret: str, account: ObjectId) -> bytes:
        """The secret as it is stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, secret.encode(), account.binary)

    def step(self, sealed: bytes, account: ObjectId, code: str) -> int | None:
        """The number of the time step that the code is of; None when it is of none in the window.

        Raises:
            cryptography.exceptions.InvalidTag: the secret was not sealed here for this account.
        """
        secret = self._seal.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], account.binary).decode()
        try:
            return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=time.time(), valid_window=WINDOW)
        except OTPVerificationError:
            return None
