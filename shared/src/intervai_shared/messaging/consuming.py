"""How a worker waits: Dramatiq's consumers and threads look for work several times a second each, an idle worker with
many of them all the time. Here they are woken, and look by themselves now and then (docs/decisions/0028)."""

import queue
from collections.abc import Callable
from time import monotonic
from typing import Any

import dramatiq
import redis
from dramatiq import MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name, iter_queue

from intervai_shared.logs import log
from intervai_shared.messaging.wakes import QueueWakes

#: Milliseconds between two looks into a queue when no wake-up comes: one may be lost, and retries have none.
LOOK_MS = 1_000
#: Milliseconds between two looks of an idle thread, which is woken by what it waits for, and by the end.
THREAD_MS = 5_000


class WokenConsumer(_RedisConsumer):
    """A consumer that looks when it is woken, when a message is done and so there is room for another, and every
    `LOOK_MS`."""

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int, wakes: QueueWakes) -> None:
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call]  # 0: no sleep of its own
        self._event = wakes.of(queue_name)

    def __next__(self) -> MessageProxy | None:
        self._event.clear()  # before the look: what comes after it is not in it
        message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        if message is None:
            self._event.wait(LOOK_MS / 1000)
        return message

    def ack(self, message: MessageProxy) -> None:
        self._and_look(super().ack, message)

    def nack(self, message: MessageProxy) -> None:
        self._and_look(super().nack, message)

    def _and_look(self, end: Callable[[MessageProxy], None], message: MessageProxy) -> None:
        try:
            end(message)
        finally:
            self._event.set()


class ClosableQueue(queue.PriorityQueue[Any]):
    """The messages that a worker has fetched. Closed, it gives nothing more to those who wait for some, and lets them
    go; what is in it can still be taken without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As in `queue.Queue`. Raises queue.Empty, also when closed."""
        if not block:
            return super().get(block=False)
        until = None if timeout is None else monotonic() + timeout
        with self.not_empty:
            while not self._closed and not self._qsize():
                left = None if until is None else until - monotonic()
                if left is not None and left <= 0:
                    raise queue.Empty
                self.not_empty.wait(left)
            if self._closed:
                raise queue.Empty
            return self._get()

    def close(self) -> None:
        """For ever."""
        with self.mutex:
            self._closed = True
            self.not_empty.notify_all()


class JobWorker(dramatiq.Worker):
    """Works at most `threads` messages at a time, and begins none after `stop`: what it has then goes back."""

    def __init__(self, broker: dramatiq.Broker, threads: int) -> None:
        super().__init__(broker, worker_threads=threads, worker_timeout=THREAD_MS)
        # What a worker has fetched but not begun waits for it alone. What it works at counts too, so not fewer either.
        self.queue_prefetch = threads
        self.work_queue: ClosableQueue = ClosableQueue()

    def stop(self, timeout: int = 600_000) -> None:
        """Milliseconds. Lets running messages end, and hands the rest back at once: others need not wait for that."""
        for thread in self.workers:
            thread.stop()
        self.work_queue.close()
        for name, consumer in self.consumers.items():
            if isinstance(consumer.consumer, WokenConsumer) and name != dq_name(name):
                consumer.consumer.prefetch = 0  # the retries' go on: their looks say that we live
        self._hand_back()
        super().stop(timeout)

    def _hand_back(self) -> None:
        for item in iter_queue(self.work_queue):  # type: ignore[no-untyped-call]
            try:
                self.consumers[item.message.queue_name].requeue_messages([item.message])
            except redis.RedisError as error:  # it comes back with the heartbeat time-out
                log.warning("message not handed back", messageId=item.message.message_id, error=repr(error))
