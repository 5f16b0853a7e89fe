"""Login sessions that ended before their tokens did: a Redis stream that every process tails into memory.

No request asks Redis. While Redis is down a process keeps what it knows and learns the rest when it is back; an access
token outlives its session by at most its own life (10 minutes by default).
"""

import time

from redis.asyncio import Redis

from intervai_shared.redis import BLOCK_MS, stream_entries

STREAM = "intervai:revocations"


class Revocations:
    """The revoked sessions of the last token lifetime, by session id."""

    def __init__(self, redis: Redis, token_ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl = token_ttl_seconds
        self._until: dict[str, float] = {}
        self._last_id = f"{int((time.time() - token_ttl_seconds) * 1000)}-0"

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._until

    async def publish(self, session_id: str) -> None:
        """Ends a login session in every process. Raises redis.RedisError when that could not be said."""
        oldest = int((time.time() - self._ttl) * 1000)
        await self._redis.xadd(STREAM, {"sid": session_id}, minid=oldest, approximate=True)
        self._add(session_id, time.time())

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

    def _take(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        self._last_id = entry_id
        self._add(fields[b"sid"].decode(), int(entry_id.split("-", maxsplit=1)[0]) / 1000)

    def _add(self, session_id: str, at: float) -> None:
        self._until[session_id] = at + self._ttl + 1

    def _forget(self, now: float) -> None:
        for session_id in [sid for sid, until in self._until.items() if until < now]:
            del self._until[session_id]
