"""What many ask for at the same time is done once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Of the callers in one process; those in others meet at the database. Without it a hundred transactions that want
    the same key would begin again and again, and hold all connections while only one of them can win."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}

    async def do(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, or of the one that is under way for this key. A caller that is cancelled leaves it to
        the others. Raises what `work` raises, to all of them."""
        if (task := self._flights.get(key)) is None:
            task = self._flights[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(task)

    def _land(self, key: str, task: asyncio.Task[T]) -> None:
        del self._flights[key]
        if not task.cancelled():
            task.exception()  # asyncio complains of an error that nobody has looked at
