"""Log-in sessions and their refresh tokens, with rotation and reuse detection (RFC 9700, section 4.14).

A refresh token is `<session id>.<generation>.<mac>`: 256 bits that only we can make and that need no copy in Redis. The
session knows its current generation. Rotation is a compare-and-set on it; a genuine token of an older generation means
that two parties hold the chain, so the session ends, unless it is the generation just before and within the grace time:
then the caller gets the very successor that the winner of the race got. A genuine token of a newer generation shows
that Redis lost its last writes (a crash, a fail-over): it counts as the current one, so that this logs nobody out.
"""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from prometheus_client import Counter
from redis.asyncio import Redis

from auth_service.settings import AuthSettings
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.logs import log

REUSED = Counter("intervai_refresh_reuse_total", "Login sessions ended since an old refresh token was used again")

# KEYS: session. ARGV: user, now (ms), idle life (ms). A script, since a client of a Cluster has no useful transactions.
_OPEN = """
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'generation', 1, 'rotatedAt', ARGV[2], 'createdAt', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""

# KEYS: session. ARGV: presented generation, now (ms), grace (ms), idle life (ms), absolute life (ms).
# Answers {generation to hand out, user} or {-1} (no such session) or {-2} (reuse: the session has been ended).
_ROTATE = """
local current, rotated, created, user =
    unpack(redis.call('HMGET', KEYS[1], 'generation', 'rotatedAt', 'createdAt', 'user'))
if not current then return {-1} end
local presented, now = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = tonumber(created) + tonumber(ARGV[5]) - now
if left <= 0 then redis.call('DEL', KEYS[1]) return {-1} end
if presented >= tonumber(current) then
    redis.call('HSET', KEYS[1], 'generation', presented + 1, 'rotatedAt', now)
    redis.call('PEXPIRE', KEYS[1], math.min(left, tonumber(ARGV[4])))
    return {presented + 1, user}
end
if presented == tonumber(current) - 1 and now - tonumber(rotated) <= tonumber(ARGV[3]) then
    return {tonumber(current), user}
end
redis.call('DEL', KEYS[1])
return {-2, user}
"""


@dataclass(frozen=True)
class LoginSession:
    """A session after a log-in or a refresh. `refresh_token` is the only valid one of it."""

    id: str
    user: ObjectId
    refresh_token: str


class SessionReusedError(UnauthenticatedError):
    """An old refresh token came back: the session is over. `session_id` is to be revoked everywhere."""

    def __init__(self, session_id: str) -> None:
        super().__init__("The refresh token was used before. Its session has been ended; please log in again.")
        self.session_id = session_id


class LoginSessions:
    """Sessions in Redis under `auth:session:<id>`."""

    def __init__(self, redis: Redis, settings: AuthSettings, master_key: bytes) -> None:
        self._redis = redis
        self._settings = settings
        self._key = HKDF(SHA256(), 32, salt=None, info=b"refresh-token").derive(master_key)
        self._open = redis.register_script(_OPEN)
        self._rotate = redis.register_script(_ROTATE)

    async def open(self, user: ObjectId) -> LoginSession:
        """A new session with its first refresh token. Raises redis.RedisError."""
        session_id = secrets.token_urlsafe(16)
        now, idle_life = int(time.time() * 1000), self._settings.refresh_idle_seconds * 1000
        await self._open(keys=[_name(session_id)], args=[str(user), now, idle_life])
        return LoginSession(session_id, user, self._token(session_id, 1))

    async def owner(self, refresh_token: str) -> tuple[str, ObjectId]:
        """The id and the user of a token's session; the token is not spent by it. Raises UnauthenticatedError."""
        session_id, _ = self._read(refresh_token)
        user: Any = await self._redis.hget(_name(session_id), "user")
        if user is None:
            raise UnauthenticatedError("The session has ended. Please log in again.")
        return session_id, ObjectId(user.decode())

    async def rotate(self, refresh_token: str) -> LoginSession:
        """The session with the token's successor.

        Raises:
            SessionReusedError: a token of an older generation; the session is gone.
            UnauthenticatedError: not one of our tokens, or its session has ended.
        """
        session_id, generation = self._read(refresh_token)
        grace_ms = int(self._settings.refresh_grace_seconds * 1000)
        lives = (self._settings.refresh_idle_seconds * 1000, self._settings.refresh_absolute_seconds * 1000)
        args = [generation, int(time.time() * 1000), grace_ms, *lives]
        outcome, *user = await self._rotate(keys=[_name(session_id)], args=args)
        if outcome == -2:
            REUSED.inc()
            log.warning("refresh token reused, session ended", userId=user[0].decode())
            raise SessionReusedError(session_id)
        if outcome == -1:
            raise UnauthenticatedError("The session has ended. Please log in again.")
        return LoginSession(session_id, ObjectId(user[0].decode()), self._token(session_id, int(outcome)))

    async def end(self, session_id: str) -> None:
        """Ends a session: no refresh any more. Raises redis.RedisError."""
        await self._redis.delete(_name(session_id))

    def _token(self, session_id: str, generation: int) -> str:
        return f"{session_id}.{generation}.{self._mac(session_id, generation)}"

    def _read(self, refresh_token: str) -> tuple[str, int]:
        session_id, _, rest = refresh_token.partition(".")
        generation, _, mac = rest.partition(".")
        if not generation.isascii() or not generation.isdecimal() or len(generation) > 9 or not mac.isascii():
            raise UnauthenticatedError("This is no refresh token.")
        if not hmac.compare_digest(mac, self._mac(session_id, int(generation))):
            raise UnauthenticatedError("This is no refresh token.")
        return session_id, int(generation)

    def _mac(self, session_id: str, generation: int) -> str:
        digest = hmac.digest(self._key, f"{session_id}.{generation}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _name(session_id: str) -> str:
    return f"auth:session:{session_id}"
