"""How often a Redis command is tried: once more at once, and not at all while Redis is silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from intervai_shared.logs import log

#: Seconds for which a Redis that has let a command time out is left alone.
BREAK_SECONDS = 1.0
T = TypeVar("T")


class FailFast(Retry):
    """One retry, with a circuit breaker (https://martinfowler.com/bliki/CircuitBreaker.html) that is shared by all
    connections of a client. Without it each command of a request waits for its own time-out when Redis is silent, and
    what can live without Redis takes half a minute; with it one command waits and the others fail at once."""

    def __init__(self, retries: int = 1) -> None:
        super().__init__(NoBackoff(), retries)
        self._silent_until = 0.0
        self._trial: asyncio.Task[Any] | None = None

    def __deepcopy__(self, _: object) -> Self:
        """redis-py copies it for each connection; the state is the server's."""
        return self

    async def call_with_retry(
        self, do: Callable[[], Awaitable[T]], fail: Callable[..., Any], *args: Any, **options: Any
    ) -> T:
        """Raises redis.ConnectionError, redis.TimeoutError."""
        is_trial = self._check()
        try:
            answer = await super().call_with_retry(lambda: self._attempt(do), fail, *args, **options)
        finally:
            if is_trial:
                self._trial = None
        self._silent_until = 0.0
        return answer

    def _check(self) -> bool:
        """Whether this call is to find out if Redis is back. Raises redis.ConnectionError while it is not."""
        if self._silent_until == 0.0 or self._trial is asyncio.current_task():  # a command connects within its own call
            return False
        if self._trial is not None or time.monotonic() < self._silent_until:
            raise RedisConnectionError("Redis does not answer; it is left alone for a moment")
        self._trial = asyncio.current_task()
        return True

    async def _attempt(self, do: Callable[[], Awaitable[T]]) -> T:
        if self._silent_until > time.monotonic():  # the first try has just found out
            raise RedisConnectionError("Redis does not answer; it is left alone for a moment")
        try:
            return await do()
        except RedisTimeoutError as error:
            if self._silent_until == 0.0:
                log.warning("redis does not answer, it is left alone for a moment", error=repr(error))
            self._silent_until = time.monotonic() + BREAK_SECONDS
            raise
        except RuntimeError as error:
            # What uvloop says where asyncio says ConnectionResetError (https://github.com/MagicStack/uvloop/issues/506).
            raise RedisConnectionError(f"connection lost: {error}") from error
