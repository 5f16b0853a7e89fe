"""The worker process of a service: its actors, the relay of its outbox, the consumer of its events, its health."""

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Generic, TypeVar

import dramatiq
import uvloop
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from intervai_shared import context, logs
from intervai_shared.http.health import health_routes
from intervai_shared.logs import log
from intervai_shared.messaging import broker
from intervai_shared.messaging.inbox import EventHandler, Inbox
from intervai_shared.messaging.queues import QueueLengths
from intervai_shared.messaging.relay import EVENT_ACTOR, EVENT_QUEUE, Relay
from intervai_shared.messaging.sweep import JobSweep
from intervai_shared.models import Document
from intervai_shared.resources import Container
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

#: Milliseconds that jobs get to end after SIGTERM; what is not done by then is done again by another worker.
FINISH_MS = 15_000
ContainerT = TypeVar("ContainerT", bound=Container)
SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


class ServiceWorker(Generic[SettingsT, ContainerT]):
    """Declares what a worker does; `run` does it until SIGTERM or SIGINT."""

    def __init__(
        self,
        settings: SettingsT,
        open_container: Callable[[SettingsT], AbstractAsyncContextManager[ContainerT]],
        *,
        threads: int,
        subscribers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`threads`: jobs at a time. `subscribers`: for each event type that the service emits, who gets it."""
        logs.configure(settings.service, settings.log_level)
        self.settings = settings
        self._threads = threads
        self._runtime = _Runtime(settings, open_container, subscribers or {})
        self._broker = broker.consumer(settings, self._runtime, _TraceMiddleware())

    def actor(
        self, function: Callable[..., Awaitable[None]], queue: str, *, records: str | None = None, **options: Any
    ) -> None:
        """Declares `function(container, *args)` as the actor of its name on `queue`.

        `records` names the collection of its job records, if its one argument is the id of one: forgotten ones are sent
        again then.
        """
        if records:
            self._runtime.swept.append((records, function.__name__, queue))

        async def call(*args: Any) -> None:
            await function(self._runtime.container, *args)

        dramatiq.actor(actor_name=function.__name__, queue_name=queue, broker=self._broker, **options)(call)

    def on_events(self, handlers: Callable[[ContainerT], Mapping[str, EventHandler]]) -> None:
        """Declares what the service does with the events that it has subscribed to, once each."""

        async def apply(container: ContainerT, event: Document) -> None:
            resources = container.resources
            await Inbox(resources.mongo.db, resources.outbox, handlers(container)).apply(event)

        apply.__name__ = EVENT_ACTOR
        self.actor(apply, EVENT_QUEUE)

    def run(self) -> None:
        """Works until a signal; then takes no more, lets running jobs end, hands the rest back."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            self._runtime.open()
        except Exception:
            log.exception("cannot start")
            sys.exit(1)
        worker = dramatiq.Worker(self._broker, worker_threads=self._threads, worker_timeout=200)
        # What a worker has fetched but not begun waits for it alone. What it works at counts too, so not fewer either.
        worker.queue_prefetch = self._threads
        self._broker.emit_after("process_boot")  # starts the clock of the time limit
        worker.start()
        log.info("worker started", threads=self._threads)
        stop.wait()
        log.info("draining")
        self._runtime.container.resources.health.draining = True
        worker.stop(timeout=FINISH_MS)
        self._broker.close()


class _Runtime(AsyncIO, Generic[SettingsT, ContainerT]):
    """Dramatiq's event loop thread on uvloop, with the service's container, relay and health server living in it."""

    def __init__(
        self,
        settings: SettingsT,
        open_container: Callable[[SettingsT], AbstractAsyncContextManager[ContainerT]],
        subscribers: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._open_container = open_container
        self._subscribers = subscribers
        self._stack = AsyncExitStack()
        self.swept: list[tuple[str, str, str]] = []
        self.container: ContainerT

    def open(self) -> None:
        """Before the worker starts, since Dramatiq would swallow what this raises and let it take messages."""
        thread = EventLoopThread(self.logger)
        thread.daemon = True  # the process must end even when the loop does not
        thread.loop.close()
        thread.loop = uvloop.new_event_loop()
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)
        try:
            thread.run_coroutine(self._open())
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

    async def _open(self) -> None:
        self.container = await self._stack.enter_async_context(self._open_container(self._settings))
        resources = self.container.resources
        relay = Relay(self._settings, resources.mongo.db, resources.redis, self._subscribers)
        await self._stack.enter_async_context(keep_running("relay", relay.run))
        lengths = QueueLengths(resources.redis, resources.mongo.db, self._settings.service)
        for records, actor, queue in self.swept:
            sweep = JobSweep(resources.mongo.db[records], lengths, resources.outbox, actor, queue)
            await self._stack.enter_async_context(keep_running(f"sweep of {records}", sweep.run))
        await self._stack.enter_async_context(keep_running("health", self._serve_health))

    async def _serve_health(self) -> None:
        app = Starlette(routes=health_routes(lambda _: self.container.resources.health))
        server = Server(
            app,
            address=self._settings.host,
            port=self._settings.port,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_access=False,
            log_enabled=False,
        )
        try:
            await server.serve()
        except asyncio.CancelledError:
            server.stop()  # type: ignore[no-untyped-call]
            raise


class _TraceMiddleware(Middleware):
    """Gives a job the request id and the trace of the request that caused it."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        trace = message.options.get("trace", {})
        context.request_id.set(trace.get("requestId", ""))
        context.traceparent.set(context.child_traceparent(trace.get("traceparent", "")))
