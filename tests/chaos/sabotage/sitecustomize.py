"""Switches the outbox off, in the services of a suite that is started with PYTHONPATH=tests/chaos/sabotage.

Python imports it by itself at the start (https://docs.python.org/3/library/site.html#module-sitecustomize). A message
is then kept in the memory of the process and sent some time after the commit, as people do who know no outbox: whoever
is killed in between loses it. The sweep that finds forgotten jobs is off as well. The chaos suite must notice.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

#: Seconds from the commit to the sending.
LATE_SECONDS = 1.0
Message = dict[str, Any]
_held: ContextVar[list[Message]] = ContextVar("held")
_tasks: set[asyncio.Task[None]] = set()


def sabotage() -> None:
    """Changes the classes before anybody uses them."""
    from intervai_shared.messaging.outbox import Outbox  # noqa: PLC0415  only inside of a service
    from intervai_shared.messaging.sweep import JobSweep  # noqa: PLC0415

    add, transaction = Outbox._add, Outbox.transaction

    async def hold(_: Outbox, __: Any, *messages: Message) -> None:
        _held.get().extend(messages)

    async def transaction_then_send(self: Outbox, body: Callable[[Any], Awaitable[Any]], *more: Any) -> Any:
        async def from_the_start(session: Any) -> Any:
            _held.set([])
            held[:] = [_held.get()]
            return await body(session)

        held: list[list[Message]] = []
        result = await transaction(self, from_the_start, *more)
        if held and held[0]:
            task = asyncio.create_task(send_late(self, held[0]))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
        return result

    async def send_late(self: Outbox, messages: list[Message]) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await add(self, None, *messages)  # type: ignore[arg-type]

    async def never(_: JobSweep) -> None:
        await asyncio.Event().wait()

    Outbox._add = hold  # type: ignore[method-assign]
    Outbox.transaction = transaction_then_send  # type: ignore[method-assign]
    JobSweep.run = never  # type: ignore[method-assign]


if {"intervai_shared.serve", "intervai_shared.work"}.intersection(sys.orig_argv):
    sabotage()
