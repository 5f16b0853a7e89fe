"""Ended login sessions and accounts whose tokens still live: a Redis stream that every process tails into memory.

No request asks Redis. While Redis is down a process keeps what it knows and learns the rest when it is back; an access
token outlives its session by at most its own life (10 minutes by default).
"""

import asyncio
import time

from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared.auth.principal import User
from intervai_shared.redis import BLOCK_MS, stream_entries

STREAM = "intervai:revocations"


class Revocations:
    """What was revoked in the last token lifetime: sessions by id, and persons with all that was issued to them until
    then. Besides, for as long as the process lives, the signing keys that have leaked: whoever has one can make tokens
    of any life. A process that starts later does not get them from auth-service in the first place."""

    def __init__(self, redis: Redis, token_ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl = token_ttl_seconds
        self._sessions: dict[str, float] = {}
        self._users: dict[str, float] = {}
        self._keys: set[str] = set()
        #: Set when a signing key is revoked, for who must do something about it.
        self.key_revoked = asyncio.Event()
        self._last_id = f"{int((time.time() - token_ttl_seconds) * 1000)}-0"

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def covers(self, user: User) -> bool:
        """Whether the caller's session, or the whole account, has been ended since the token was issued. A token of the
        very second counts as issued before."""
        revoked_at = self._users.get(str(user.id)) if self._users else None
        return user.session_id in self._sessions or (revoked_at is not None and user.issued_at <= revoked_at)

    def covers_key(self, kid: str) -> bool:
        """Whether a signing key has been revoked."""
        return kid in self._keys

    async def publish(self, *session_ids: str) -> None:
        """Ends login sessions in every process. Raises redis.RedisError when that could not be said."""
        for session_id in session_ids:
            await self._publish("sid", session_id)

    async def publish_user(self, user: ObjectId) -> None:
        """Ends everything that was issued to a person until now, in every process. Raises redis.RedisError."""
        await self._publish("uid", str(user))

    async def publish_key(self, kid: str) -> None:
        """Has every process refuse what a signing key has signed. Raises redis.RedisError."""
        await self._publish("kid", kid)

    async def load(self) -> None:
        """Reads what is in the stream now, so that a process knows it before its first request; `follow` goes on from
        there. Raises redis.RedisError."""
        entries = await self._redis.xrange(STREAM, min=f"({self._last_id}")
        for entry_id, fields in stream_entries([(STREAM, entries)]):
            self._take(entry_id, fields)

    async def follow(self) -> None:
        """Reads on for ever. Raises redis.RedisError when the connection breaks; call again then."""
        while True:
            answer = await self._redis.xread({STREAM: self._last_id}, count=1000, block=BLOCK_MS)
            for entry_id, fields in stream_entries(answer):
                self._take(entry_id, fields)
            self._forget(time.time())

    async def _publish(self, kind: str, name: str) -> None:
        now = time.time()
        oldest = int((now - self._ttl) * 1000)
        await self._redis.xadd(STREAM, {kind: name}, minid=oldest, approximate=True)
        self._add(kind, name, now)

    def _take(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        self._last_id = entry_id
        for kind, name in fields.items():
            self._add(kind.decode(), name.decode(), int(entry_id.split("-", maxsplit=1)[0]) / 1000)

    def _add(self, kind: str, name: str, at: float) -> None:
        if kind == "kid":
            self._keys.add(name)
            self.key_revoked.set()
            return
        revoked = self._users if kind == "uid" else self._sessions
        revoked[name] = max(at, revoked.get(name, 0.0))

    def _forget(self, now: float) -> None:
        for revoked in (self._sessions, self._users):
            for name in [name for name, at in revoked.items() if at + self._ttl + 1 < now]:
                del revoked[name]
