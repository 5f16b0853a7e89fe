"""Redis or Valkey: the client of a process."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from intervai_shared.settings import ServiceSettings

#: Longest time (ms) that a blocking read waits in Redis: below the socket's time-out, so that silence is no error.
BLOCK_MS = 1500
#: Connections of one process. Each follower of live updates holds one, and redis-py's default of 100 is soon used up.
MAX_CONNECTIONS = 5000


def connect(settings: ServiceSettings) -> Redis:
    """A client with short time-outs and one quick retry: what can live without Redis must notice soon."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        health_check_interval=15,
        client_name=settings.service,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(NoBackoff(), 1),
    )


def stream_entries(answer: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """The entries, as (id, fields), of an XREAD on one stream; none when it timed out."""
    return [(entry_id.decode(), fields) for _, entries in answer or [] for entry_id, fields in entries]
