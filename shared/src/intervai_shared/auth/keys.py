"""The public keys of auth-service (JWKS, RFC 7517), kept in memory."""

import asyncio
import time

import httpx
import jwt
import stamina

from intervai_shared.errors import UnauthenticatedError, UnavailableError
from intervai_shared.logs import log

#: Seconds after which known keys are fetched again in the background. A new key is published well before it signs.
REFRESH_SECONDS = 300.0
#: Seconds after which known keys are fetched again before they are used: nobody asked for so long that nobody knows
#: whether they are still published.
IDLE_SECONDS = 2 * REFRESH_SECONDS
#: Seconds during which unknown key ids cause no further fetch: a forged `kid` must not become load on auth-service.
UNKNOWN_KEY_SECONDS = 5.0
#: Seconds between two tries while no key could ever be fetched: requests must not queue up for one try each.
NO_KEY_SECONDS = 1.0


class KeySet:
    """Keys by `kid`: single flight, stale on error, so that services live on while auth-service is down."""

    def __init__(self, http: httpx.AsyncClient, path: str = "/.well-known/jwks.json") -> None:
        self._http = http
        self._path = path
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> jwt.PyJWK:
        """The key `kid`.

        Raises:
            UnauthenticatedError: auth-service publishes no such key.
            UnavailableError: no key could ever be fetched.
        """
        if self.holds(kid):
            return self._keys[kid]
        await self._refresh(UNKNOWN_KEY_SECONDS)
        if not self._keys:
            raise UnavailableError("The keys that tokens are checked with are not reachable now.")
        if found := self._keys.get(kid):
            return found
        raise UnauthenticatedError("The token is signed with an unknown key.")

    def holds(self, kid: str) -> bool:
        """Whether a key is known and was published not long ago. Old keys are fetched again in the background."""
        if kid not in self._keys or self._age() > IDLE_SECONDS:
            return False
        if self._age() > REFRESH_SECONDS and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh(REFRESH_SECONDS))
        return True

    async def _refresh(self, older_than_seconds: float) -> None:
        async with self._lock:
            if self._age() < (older_than_seconds if self._keys else NO_KEY_SECONDS):
                return
            try:
                self._keys = await self._fetch()
            except (httpx.HTTPError, jwt.PyJWTError, ValueError) as error:
                log.warning("signing keys not fetched, the known ones stay", error=repr(error))
            self._fetched_at = time.monotonic()

    @stamina.retry(on=httpx.HTTPError, attempts=3, wait_initial=0.1, wait_max=1.0, timeout=4.0)
    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        response = await self._http.get(self._path)
        response.raise_for_status()
        return {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(response.json()).keys}

    def _age(self) -> float:
        return time.monotonic() - self._fetched_at
