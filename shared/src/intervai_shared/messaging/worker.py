"""The worker process of a service: its actors, the relay of its outbox, the consumer of its events, its health."""

import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Generic

import dramatiq

from intervai_shared import logs
from intervai_shared.logs import log
from intervai_shared.messaging import broker
from intervai_shared.messaging.consuming import JobWorker
from intervai_shared.messaging.events.catalogue import Catalogue
from intervai_shared.messaging.events.projections import Projection
from intervai_shared.messaging.failures import FailureMiddleware
from intervai_shared.messaging.inbox import EventHandler, Inbox
from intervai_shared.messaging.relay import EVENT_ACTOR, EVENT_QUEUE
from intervai_shared.messaging.runtime import ContainerT, Runtime, SettingsT, TraceMiddleware
from intervai_shared.models import Document
from intervai_shared.scheduling import schedules
from intervai_shared.scheduling.runs import ScheduledRuns

#: A lower number goes first among the messages that a worker has fetched; it fetches from each queue by itself.
INTERACTIVE, BULK = 0, 10


class ServiceWorker(Generic[SettingsT, ContainerT]):
    """Declares what a worker does; `run` does it until SIGTERM or SIGINT."""

    def __init__(
        self,
        settings: SettingsT,
        open_container: Callable[[SettingsT], AbstractAsyncContextManager[ContainerT]],
        *,
        threads: int,
        events: Catalogue | None = None,
        subscribers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`threads`: jobs at a time. `events`: those that the service writes and reads. `subscribers`: for each event
        type that it writes, who gets it."""
        logs.configure(settings.service, settings.log_level)
        self.settings = settings
        self._threads = threads
        self._events = events or Catalogue()
        self._records: dict[str, str] = {}
        self._scheduled: dict[str, Callable[[ContainerT], Awaitable[None]]] = {}
        self._runtime = Runtime(settings, open_container, subscribers or {}, self._events)
        failures = FailureMiddleware(settings.service, self._keep_letter, self._records)
        self._broker = broker.consumer(settings, self._runtime, TraceMiddleware(), first=[failures])

    def actor(
        self,
        function: Callable[..., Awaitable[None]],
        queue: str,
        *,
        records: str | None = None,
        bulk: bool = False,
        **options: Any,
    ) -> None:
        """Declares `function(container, *args)` as the actor of its name on `queue`; with `bulk` also on its bulk twin.

        `records` names the collection of its job records, if its one argument is the id of one: they count its
        attempts, and forgotten ones are sent again. A collection has one actor.
        """
        name = function.__name__
        if records:
            self._runtime.swept.append((records, name, queue))
            options = {"retry_when": broker.worth_another_attempt, **options}

        async def call(*args: Any) -> None:
            await function(self._runtime.container, *args)

        twins = [(name, queue, INTERACTIVE), (broker.in_bulk(name), broker.in_bulk(queue), BULK)]
        for actor, of_queue, priority in twins if bulk else twins[:1]:
            if records:
                self._records[actor] = records
            told = {"priority": priority, **options}
            dramatiq.actor(actor_name=actor, queue_name=of_queue, broker=self._broker, **told)(call)

    def scheduled(self, function: Callable[[ContainerT], Awaitable[None]], cron: str) -> None:
        """Declares `function(container)` to be done at each time of `cron` (UTC; see `Schedule`), by one worker. It
        must not mind being done again: it is, when its worker dies in the middle."""
        if not self._scheduled:
            self.actor(self.run_scheduled, schedules.QUEUE, priority=BULK)
        self._scheduled[function.__name__] = function
        self._runtime.schedules[function.__name__] = cron

    async def run_scheduled(self, container: ContainerT, name: str, slot: str, fence: int) -> None:
        """Idempotent by the record of the schedule's last run, see `ScheduledRuns.run`."""
        function = self._scheduled[name]
        runs = ScheduledRuns(container.resources.mongo.db)
        await runs.run(name, datetime.fromisoformat(slot), fence, lambda: function(container))

    async def _keep_letter(self, letter: Document) -> None:
        await self._runtime.container.resources.dead_letters.keep(letter)

    def on_events(
        self,
        handlers: Callable[[ContainerT], Mapping[str, EventHandler]] = lambda _: {},
        projections: Sequence[Projection] = (),
    ) -> None:
        """Declares what the service does with the events that it has subscribed to, once each."""

        async def apply(container: ContainerT, event: Document) -> None:
            resources = container.resources
            inbox = Inbox(resources.mongo.db, resources.outbox, handlers(container), self._events, projections)
            await inbox.apply(event)

        apply.__name__ = EVENT_ACTOR
        self.actor(apply, EVENT_QUEUE, max_age=None)  # an event does not get too old, however long nobody took it

    def run(self) -> None:
        """Works until a signal; then takes no more, lets running jobs end, hands the rest back."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            self._runtime.open(self._broker.wakes)
        except Exception:
            log.exception("cannot start")
            sys.exit(1)
        worker = JobWorker(self._broker, self._threads)
        self._broker.emit_after("process_boot")  # starts the clock of the time limit
        worker.start()
        log.info("worker started", threads=self._threads)
        stop.wait()
        log.info("draining")
        self._runtime.container.resources.health.draining = True
        worker.stop(timeout=round(self.settings.job_finish_seconds * 1000))
        self._broker.close()
