"""What lives in a worker process beside its actors: the event loop with the container, the relay, sweeps, schedules and
the health server."""

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, TypeVar

import dramatiq
import uvloop
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware

from intervai_shared import context
from intervai_shared.http.health_server import serve_health
from intervai_shared.messaging.events.catalogue import Catalogue
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.messaging.relay import Relay
from intervai_shared.messaging.sweep import JobSweep
from intervai_shared.messaging.wakes import QueueWakes
from intervai_shared.resources import Container
from intervai_shared.scheduling.schedules import TELL_SECONDS, ScheduleBook
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

ContainerT = TypeVar("ContainerT", bound=Container)
SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


class Runtime(AsyncIO, Generic[SettingsT, ContainerT]):
    """Dramatiq's event loop thread on uvloop, with the service's container, relay and health server living in it."""

    def __init__(
        self,
        settings: SettingsT,
        open_container: Callable[[SettingsT], AbstractAsyncContextManager[ContainerT]],
        subscribers: Mapping[str, Sequence[str]],
        events: Catalogue,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._open_container = open_container
        self._subscribers = subscribers
        self._events = events
        self._stack = AsyncExitStack()
        self.swept: list[tuple[str, str, str]] = []
        self.schedules: dict[str, str] = {}
        self.container: ContainerT

    def open(self, wakes: QueueWakes) -> None:
        """Before the worker starts, since Dramatiq would swallow what this raises and let it take messages. `wakes`:
        what the worker's consumers wait at."""
        thread = EventLoopThread(self.logger)
        thread.daemon = True  # the process must end even when the loop does not
        thread.loop.close()
        thread.loop = uvloop.new_event_loop()
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)
        try:
            thread.run_coroutine(self._open(wakes))
        except BaseException:
            thread.stop()  # type: ignore[no-untyped-call]
            raise

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """The loop runs already."""

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        try:
            if thread := get_event_loop_thread():
                thread.run_coroutine(self._stack.aclose())
        finally:
            super().after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]

    async def _open(self, wakes: QueueWakes) -> None:
        self.container = await self._stack.enter_async_context(self._open_container(self._settings))
        resources = self.container.resources
        relay = Relay(self._settings, resources.mongo.db, resources.redis, self._subscribers)
        await self._stack.enter_async_context(keep_running("relay", relay.run))
        listen = lambda: wakes.listen(resources.redis, self._settings.service)  # noqa: E731
        await self._stack.enter_async_context(keep_running("wake-ups", listen))
        if self._settings.kafka_bootstrap_servers:
            kafka = importlib.import_module("intervai_shared.messaging.kafka")  # few need its client
            sink = kafka.KafkaSink(self._settings, resources.mongo.db, resources.redis, self._events)
            await self._stack.enter_async_context(keep_running("kafka", sink.run))
        lengths = QueueLengths(resources.redis, resources.mongo.db, self._settings.service)
        for records, actor, queue in self.swept:
            sweep = JobSweep(resources.mongo.db[records], lengths, resources.outbox, actor, queue)
            await self._stack.enter_async_context(keep_running(f"sweep of {records}", sweep.run))
        if self.schedules:
            await self._stack.enter_async_context(keep_running("schedules", self._tell_schedules))
        health = lambda: serve_health(self._settings, lambda: resources.health)  # noqa: E731
        await self._stack.enter_async_context(keep_running("health", health))

    async def _tell_schedules(self) -> None:
        book = ScheduleBook(self.container.resources.redis)
        while True:
            await book.tell(self._settings.service, self.schedules)
            await asyncio.sleep(TELL_SECONDS)


class TraceMiddleware(Middleware):
    """Gives a job the request id and the trace of the request that caused it."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        trace = message.options.get("trace", {})
        context.request_id.set(trace.get("requestId", ""))
        context.traceparent.set(context.child_traceparent(trace.get("traceparent", "")))
