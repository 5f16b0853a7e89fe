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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from auth_service.caller import Caller
from auth_service.settings import AuthSettings
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.logs import log

REUSED = Counter("intervai_refresh_reuse_total", "Login sessions ended since an old refresh token was used again")

Fields = Mapping[str, str | int]

# KEYS: session. ARGV: idle life (ms), then field, value, … A script, since a client of a Cluster has no useful
# transactions.
_OPEN = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""

# KEYS: session. ARGV: field, value, … Answers 0 when there is no such session: a write must not bring it back.
_CHANGE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
"""

# KEYS: session. ARGV: presented generation, now (ms), grace (ms), idle life (ms), absolute life (ms), address, agent.
# Answers {generation to hand out, user, authenticatedAt} or {-1} (no such session) or {-2, user} (reuse: it was ended).
_ROTATE = """
local current, rotated, created, user, shown =
    unpack(redis.call('HMGET', KEYS[1], 'generation', 'rotatedAt', 'createdAt', 'user', 'authenticatedAt'))
if not current then return {-1} end
local presented, now = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = tonumber(created) + tonumber(ARGV[5]) - now
if left <= 0 then redis.call('DEL', KEYS[1]) return {-1} end
if presented >= tonumber(current) then
    redis.call('HSET', KEYS[1], 'generation', presented + 1, 'rotatedAt', now, 'address', ARGV[6], 'userAgent', ARGV[7])
    redis.call('PEXPIRE', KEYS[1], math.min(left, tonumber(ARGV[4])))
    return {presented + 1, user, shown}
end
if presented == tonumber(current) - 1 and now - tonumber(rotated) <= tonumber(ARGV[3]) then
    return {tonumber(current), user, shown}
end
redis.call('DEL', KEYS[1])
return {-2, user}
"""


@dataclass(frozen=True)
class LoginSession:
    """A session after a log-in or a refresh. `refresh_token` is the only valid one of it; `authenticated_at` (epoch
    seconds) is when its owner last showed who they are."""

    id: str
    user: ObjectId
    refresh_token: str
    authenticated_at: int


@dataclass(frozen=True)
class SessionOwner:
    """Whose session a token names, and of which epoch of the account's sessions it is."""

    session_id: str
    user: ObjectId
    epoch: int


class SessionReusedError(UnauthenticatedError):
    """An old refresh token came back: the session is over. `session_id` is to be revoked everywhere."""

    def __init__(self, session_id: str, user: ObjectId) -> None:
        super().__init__("The refresh token was used before. Its session has been ended; please log in again.")
        self.session_id = session_id
        self.user = user


class LoginSessions:
    """Sessions in Redis under `auth:session:<id>`. `auth:sessions:<user>` lists a person's ids, each with the time (ms)
    of its end at the latest: a hint, since sessions end by themselves."""

    def __init__(self, redis: Redis, settings: AuthSettings, master_key: bytes) -> None:
        self._redis = redis
        self._settings = settings
        self._key = HKDF(SHA256(), 32, salt=None, info=b"refresh-token").derive(master_key)
        self._change = redis.register_script(_CHANGE)
        self._rotate = redis.register_script(_ROTATE)

    async def open(self, user: ObjectId, caller: Caller, epoch: int = 0) -> LoginSession:
        """A new session of somebody who has just shown who they are, with its first refresh token. `epoch`: the
        account's, see `SessionService`. Raises redis.RedisError."""
        session_id, now = secrets.token_urlsafe(16), int(time.time() * 1000)
        whose: Fields = {"user": str(user), "epoch": epoch, "address": caller.address, "userAgent": caller.user_agent}
        state: Fields = {"generation": 1, "rotatedAt": now, "createdAt": now, "authenticatedAt": now // 1000}
        idle_life = self._settings.refresh_idle_seconds * 1000
        async with self._redis.pipeline(transaction=False) as pipe:  # one round trip; on a Cluster one a node
            self._list(pipe, user, session_id, now)
            pipe.eval(_OPEN, 1, _name(session_id), idle_life, *_flat({**whose, **state}))
            await pipe.execute()
        return LoginSession(session_id, user, self._token(session_id, 1), now // 1000)

    async def owner(self, refresh_token: str) -> SessionOwner:
        """Whose session a token is of; the token is not spent by it. Raises UnauthenticatedError."""
        session_id, _ = self._read(refresh_token)
        user, epoch = await self._fields(session_id, "user", "epoch")
        if user is None:
            raise UnauthenticatedError("The session has ended. Please log in again.")
        return SessionOwner(session_id, ObjectId(user.decode()), int(epoch or 0))

    async def rotate(self, refresh_token: str, caller: Caller) -> LoginSession:
        """The session with the token's successor.

        Raises:
            SessionReusedError: a token of an older generation; the session is gone.
            UnauthenticatedError: not one of our tokens, or its session has ended.
        """
        session_id, generation = self._read(refresh_token)
        grace_ms = int(self._settings.refresh_grace_seconds * 1000)
        lives = (self._settings.refresh_idle_seconds * 1000, self._settings.refresh_absolute_seconds * 1000)
        args: list[str | int] = [
            generation,
            int(time.time() * 1000),
            grace_ms,
            *lives,
            caller.address,
            caller.user_agent,
        ]
        outcome, *facts = await self._rotate(keys=[_name(session_id)], args=args)
        if outcome == -1:
            raise UnauthenticatedError("The session has ended. Please log in again.")
        user = ObjectId(facts[0].decode())
        if outcome == -2:
            REUSED.inc()
            log.warning("refresh token reused, session ended", userId=str(user))
            raise SessionReusedError(session_id, user)
        return LoginSession(session_id, user, self._token(session_id, int(outcome)), int(facts[1] or 0))

    async def change(self, session_id: str, **fields: str | int) -> bool:
        """Notes fields of a session; False when it has ended. Raises redis.RedisError."""
        return bool(await self._change(keys=[_name(session_id)], args=_flat(fields)))

    async def end(self, *session_ids: str) -> None:
        """Ends sessions: no refresh any more. Raises redis.RedisError."""
        for session_id in session_ids:  # one by one: on a Cluster each lies on another node
            await self._redis.delete(_name(session_id))

    async def of_user(self, user: ObjectId) -> dict[str, dict[str, str]]:
        """The live sessions of a person, by id, with the fields of the hash, the newest first."""
        listed: Any = await self._redis.zrange(_list_name(user), 0, -1, desc=True)
        ids = [entry.decode() for entry in listed]
        async with self._redis.pipeline(transaction=False) as pipe:
            for session_id in ids:
                pipe.hgetall(_name(session_id))
            hashes = await pipe.execute()
        return {
            session_id: {key.decode(): value.decode() for key, value in fields.items()}
            for session_id, fields in zip(ids, hashes, strict=True)
            if fields
        }

    async def is_of(self, user: ObjectId, session_id: str) -> bool:
        """Whether a live session is the person's."""
        (owner,) = await self._fields(session_id, "user")
        return owner == str(user).encode()

    async def forget_list(self, user: ObjectId) -> None:
        """Removes the list of a person's sessions. Raises redis.RedisError."""
        await self._redis.delete(_list_name(user))

    async def _fields(self, session_id: str, *names: str) -> list[bytes | None]:
        found: Any = await self._redis.hmget(_name(session_id), list(names))
        return list(found)

    def _list(self, pipe: Pipeline, user: ObjectId, session_id: str, now: int) -> None:
        life = self._settings.refresh_absolute_seconds * 1000
        pipe.zremrangebyscore(_list_name(user), 0, now)
        pipe.zadd(_list_name(user), {session_id: now + life})
        pipe.pexpire(_list_name(user), life)

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


def _list_name(user: ObjectId) -> str:
    return f"auth:sessions:{user}"


def _flat(fields: Fields) -> list[str | int]:
    return [part for field in fields.items() for part in field]
