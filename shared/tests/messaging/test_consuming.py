"""How a worker waits: woken at once, looking seldom, and with nothing begun after it was told to stop."""

import asyncio
import queue
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import Message
from redis.asyncio import Redis

from intervai_shared import redis as redis_module
from intervai_shared.messaging import broker, consuming
from intervai_shared.messaging.broker import WorkerBroker
from intervai_shared.messaging.consuming import ClosableQueue
from intervai_shared.messaging.wakes import queues_channel, wake
from intervai_shared.settings import ServiceSettings
from intervai_shared.tasks import keep_running

#: Seconds that nobody looks, so that what comes earlier was woken.
NEVER = 60.0
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def message(number: int) -> Message[Any]:
    return Message(queue_name="jobs", actor_name="do", args=(number,), kwargs={}, options={}, message_id=f"m{number}")


class Taker:
    """A thread that takes what a consumer gives, as a worker's does."""

    def __init__(self, worker: WorkerBroker, prefetch: int) -> None:
        self._worker = worker
        self._prefetch = prefetch
        self.taken: list[Any] = []
        self.looks = 0
        self.consumer: Any = None
        self._going = True

    @contextmanager
    def run(self) -> Iterator[None]:
        thread = threading.Thread(target=self._take, daemon=True)
        thread.start()
        yield
        self._going = False
        self._worker.wakes.of("jobs").set()
        thread.join(timeout=10)
        assert not thread.is_alive()

    def _take(self) -> None:
        self.consumer = self._worker.consume("jobs", prefetch=self._prefetch)
        while self._going:
            if (taken := next(self.consumer)) is None:
                self.looks += 1
            else:
                self.taken.append(taken)


@pytest.fixture
def worker(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> WorkerBroker:
    monkeypatch.setattr(consuming, "LOOK_MS", NEVER * 1000)
    return broker.consumer(settings)


async def test_a_consumer_that_waits_is_woken_by_what_comes(
    worker: WorkerBroker, settings: ServiceSettings, redis: Redis, eventually: Eventually
) -> None:
    taker = Taker(worker, prefetch=8)

    async def has(count: int) -> bool:
        return len(taker.taken) == count

    async with keep_running("wake-ups", lambda: worker.wakes.listen(redis, settings.service)):
        with taker.run():
            await asyncio.sleep(0.5)
            looks = taker.looks  # one, and one more if the listener began after it
            broker.publisher(settings, settings.service).enqueue(message(1))
            await asyncio.sleep(0.3)
            assert not taker.taken  # nobody has told it
            await wake(redis, queues_channel(settings.service), "other")
            await wake(redis, queues_channel(settings.service), "jobs")
            await eventually(lambda: has(1))
            await asyncio.sleep(0.3)
            assert taker.looks == looks + 1  # the woken one took it, one more found nothing


async def test_what_a_worker_enqueues_by_itself_it_takes_at_once(worker: WorkerBroker, eventually: Eventually) -> None:
    taker = Taker(worker, prefetch=1)

    async def has_it() -> bool:
        return len(taker.taken) == 1

    with taker.run():
        await asyncio.sleep(0.2)
        worker.enqueue(message(1))
        await eventually(has_it)


async def test_a_consumer_that_holds_as_many_as_it_may_looks_again_when_one_is_done(
    worker: WorkerBroker, eventually: Eventually
) -> None:
    taker = Taker(worker, prefetch=2)

    async def has(count: int) -> bool:
        return len(taker.taken) == count

    for number in range(4):
        worker.enqueue(message(number))
    with taker.run():
        await eventually(lambda: has(2))
        await asyncio.sleep(0.2)
        assert await has(2)
        taker.consumer.ack(taker.taken[0])
        await eventually(lambda: has(3))
        taker.consumer.nack(taker.taken[1])
        await eventually(lambda: has(4))


async def test_without_wake_ups_a_consumer_looks_by_itself_but_seldom(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(consuming, "LOOK_MS", 200)
    taker = Taker(broker.consumer(settings), prefetch=1)

    async def has_it() -> bool:
        return len(taker.taken) == 1

    with taker.run():
        await asyncio.sleep(1)
        assert taker.looks <= 6
        broker.publisher(settings, settings.service).enqueue(message(1))
        await eventually(has_it)


async def test_a_wake_up_that_cannot_be_sent_fails_nothing(without_redis: ServiceSettings) -> None:
    client = redis_module.connect(without_redis)
    await wake(client, queues_channel(without_redis.service), "jobs")
    await client.aclose()


def test_a_closed_queue_lets_those_go_who_wait_and_gives_them_nothing() -> None:
    messages = ClosableQueue()
    given: list[Any] = []

    def take() -> None:
        try:
            given.append(messages.get(timeout=NEVER))
        except queue.Empty:
            given.append(None)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    messages.put("first")
    began = time.monotonic()
    while not given and time.monotonic() < began + 10:
        time.sleep(0.01)
    messages.close()
    messages.put("late")
    for thread in threads:
        thread.join(timeout=10)
    assert given == ["first", None, None, None, None]
    with pytest.raises(queue.Empty):
        messages.get(timeout=NEVER)
    assert messages.get_nowait() == "late"
    assert messages.empty()


def test_an_open_queue_gives_the_first_in_order_and_is_empty_after_the_time() -> None:
    messages = ClosableQueue()
    for number in (2, 1, 3):
        messages.put(number)
    assert [messages.get(), messages.get(timeout=NEVER), messages.get_nowait()] == [1, 2, 3]
    with pytest.raises(queue.Empty):
        messages.get(timeout=0.01)


async def test_what_a_worker_that_stops_had_fetched_another_does_while_the_first_still_works(
    start_worker: Callable[..., Any], desk: Any, queued: Callable[..., Any], eventually: Eventually
) -> None:
    first = start_worker()
    running = [await desk.add("wait") for _ in range(8)]  # one for each of its threads

    async def has_runs(count: int) -> bool:
        return bool(await desk.db.runs.count_documents({}) == count)

    await eventually(lambda: has_runs(8))
    waiting = [await desk.add("ok", bulk=True) for _ in range(4)]  # as many as it fetches of a bulk queue

    async def fetched() -> bool:
        sent = await desk.db.outbox.count_documents({"state": "published"}) == 12
        return sent and not await queued("jobs.bulk")

    await eventually(fetched)
    first.process.send_signal(signal.SIGTERM)
    start_worker()

    async def done() -> bool:
        return [await desk.status(job_id) for job_id in waiting] == ["succeeded"] * 4

    await eventually(done)
    assert first.process.poll() is None
    assert [await desk.status(job_id) for job_id in running] == ["running"] * 8
    for job_id in running:
        await desk.let_go_on(job_id)
    assert await asyncio.to_thread(first.process.wait, 20) == 0
    assert [await desk.attempts(job_id) for job_id in running + waiting] == [[1]] * 12
