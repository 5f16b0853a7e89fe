"""Log-ins that wait for their second step, in Redis.

The token is 256 random bits; only its hash is kept, so that who reads Redis can finish nobody's log-in. A try is
counted before its code is looked at, so that parallel guesses are no more than those one after the other.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, cast

from bson import ObjectId
from redis.asyncio import Redis

from auth_service.accounts.schemas import TokenMode
from intervai_shared.errors import UnauthenticatedError

LIFE_SECONDS = 300
MOST_TRIES = 5

# KEYS: challenge. ARGV: life (ms), then field, value, … A script: both or nothing, also on a Cluster.
_OPEN = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""

# KEYS: challenge. ARGV: now (ms), most tries. Answers its fields, or nothing when it is over.
_TRY = """
local fields = redis.call('HMGET', KEYS[1], 'user', 'tokenMode', 'epoch', 'expiresAt')
if not fields[1] then return {} end
if tonumber(ARGV[1]) >= tonumber(fields[4]) or redis.call('HINCRBY', KEYS[1], 'tries', 1) > tonumber(ARGV[2]) then
    redis.call('DEL', KEYS[1])
    return {}
end
return fields
"""


@dataclass(frozen=True)
class Challenge:
    """A log-in whose password was right. `epoch`: of the account's sessions, at that time."""

    user: ObjectId
    token_mode: TokenMode
    epoch: int


class MfaChallenges:
    """Challenges under `auth:mfa:<hash of the token>`. Every method raises redis.RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open = redis.register_script(_OPEN)
        self._try = redis.register_script(_TRY)

    async def open(self, user: ObjectId, token_mode: TokenMode, epoch: int) -> str:
        """The token with which the log-in can be finished, for LIFE_SECONDS. Not bound to an address: a telephone that
        goes from one network to another, or from IPv4 to IPv6, between the steps is an honest one."""
        token = secrets.token_urlsafe(32)
        expires_at = int((time.time() + LIFE_SECONDS) * 1000)
        fields: dict[str, str | int] = {
            "user": str(user),
            "epoch": epoch,
            "tokenMode": token_mode,
            "expiresAt": expires_at,
        }
        pairs = [part for field in fields.items() for part in field]
        await self._open(keys=[_name(token)], args=[LIFE_SECONDS * 1000, *pairs])
        return token

    async def attempt(self, token: str) -> Challenge:
        """What the token stands for; counts a try.

        Raises:
            UnauthenticatedError: unknown, too old, tried too often, or used.
        """
        found: Any = await self._try(keys=[_name(token)], args=[int(time.time() * 1000), MOST_TRIES])
        if not found:
            raise over()
        user, mode, epoch = (value.decode() for value in found[:3])
        return Challenge(ObjectId(user), cast(TokenMode, mode), int(epoch))

    async def close(self, token: str) -> bool:
        """Uses the token up; False when another request has."""
        return bool(await self._redis.delete(_name(token)))


def over() -> UnauthenticatedError:
    """The same words whatever the reason."""
    return UnauthenticatedError("This log-in is over. Please begin again with your password.")


def _name(token: str) -> str:
    return f"auth:mfa:{hashlib.sha256(token.encode()).hexdigest()}"
