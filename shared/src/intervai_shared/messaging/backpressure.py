"""Back-pressure: what would wait too long is refused at the door, while those who wait already are served."""

import time

from prometheus_client import Counter
from redis.exceptions import RedisError

from intervai_shared.errors import UnavailableError
from intervai_shared.logs import log
from intervai_shared.messaging.queues import QueueLengths

#: Seconds for which a process believes the length that it has read.
BELIEVE_SECONDS = 1.0
#: Seconds after which a caller who was refused may try again.
RETRY_AFTER_SECONDS = 10
REFUSED = Counter("intervai_backpressure_refused_total", "Requests refused since a queue was too long", ["queue"])


class Backpressure:
    """The door of a service's queues."""

    def __init__(self, lengths: QueueLengths) -> None:
        self._lengths = lengths
        self._known: dict[str, tuple[int, float]] = {}

    async def check(self, queue: str, most: int) -> None:
        """Call it before a message is written that may be refused. Raises UnavailableError past `most` messages."""
        length, until = self._known.get(queue, (0, 0.0))
        if until < time.monotonic():
            length = await self._length(queue, most)
            self._known[queue] = (length, time.monotonic() + BELIEVE_SECONDS)
        if length >= most:
            REFUSED.labels(queue).inc()
            raise UnavailableError("Too much waits to be done already. Please try again soon.", RETRY_AFTER_SECONDS)

    async def _length(self, queue: str, most: int) -> int:
        """Without Redis it is the outbox that grows."""
        unsent = await self._lengths.in_outbox(queue, most)
        try:
            return unsent + await self._lengths.in_redis(queue)
        except RedisError as error:
            log.warning("length of a queue not read", queue=queue, error=repr(error))
            return unsent
