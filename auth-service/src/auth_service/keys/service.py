"""The key ring: the signing keys that a process holds, and which of them signs now."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from pymongo.errors import DuplicateKeyError

from auth_service.keys import lives
from auth_service.keys.repository import KeyRepository
from auth_service.keys.sealing import KeySeal, SigningKey


class KeyRing:
    """Signs with the newest key whose time has come, publishes all that a valid token may need (see `lives`)."""

    def __init__(self, keys: KeyRepository, seal: KeySeal, hurry: asyncio.Event | None = None) -> None:
        """`hurry` is set when the keys are to be read again at once: one was revoked."""
        self._repository = keys
        self._seal = seal
        self._hurry = hurry or asyncio.Event()
        self._keys: list[SigningKey] = []

    @property
    def signing(self) -> SigningKey:
        """The key that signs now."""
        return lives.signing(self._keys, time.time())

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517)."""
        return {"keys": [key.public_jwk() for key in lives.published(self._keys, time.time())]}

    async def load(self) -> None:
        """Reads the keys, and makes the first one, which signs at once, if there is none.

        Raises:
            SealedOtherwiseError: they were sealed with another KEY_ENCRYPTION_KEY.
        """
        stored = await self._repository.usable()
        if not stored:
            now = time.time()
            with suppress(DuplicateKeyError):
                await self._repository.insert(self._seal.new(1, now, now - lives.SKEW_SECONDS))
            stored = await self._repository.usable()
        self._keys = [self._seal.open(document) for document in stored]

    async def follow(self) -> None:
        """Reads the keys again now and then, for ever. Raises what `load` raises; call again then."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(lives.RELOAD_SECONDS):
                    await self._hurry.wait()
            hurried = self._hurry.is_set()
            self._hurry.clear()
            try:
                await self.load()
            except BaseException:
                if hurried:
                    self._hurry.set()
                raise
