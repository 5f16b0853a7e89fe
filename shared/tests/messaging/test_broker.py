"""The queue's broker: what Dramatiq would drop when Redis goes away is kept."""

import asyncio
import time
from typing import Any

import pytest
from dramatiq import Message
from pymongo.errors import AutoReconnect, OperationFailure, ServerSelectionTimeoutError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from intervai_shared.messaging import broker
from intervai_shared.messaging.broker import WorkerBroker
from intervai_shared.settings import ServiceSettings


def message(number: int) -> Message[Any]:
    return Message(queue_name="jobs", actor_name="do", args=(number,), kwargs={}, options={}, message_id=f"m{number}")


def take(consumer: Any, count: int) -> list[int]:
    """The numbers of the next so many messages."""
    numbers: list[int] = []
    ends = time.monotonic() + 20
    while len(numbers) < count and time.monotonic() < ends:
        if (taken := next(consumer)) is not None:
            numbers.append(taken.args[0])
    return numbers


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "HEARTBEAT_TIMEOUT_MS", 200)
    monkeypatch.setattr(broker, "MAINTENANCE_CHANCE", 1_000_000)
    monkeypatch.setattr(broker, "ENQUEUE_SECONDS", 0.05)


def test_messages_that_a_broken_consumer_had_fetched_come_back_though_the_worker_lives_on(
    settings: ServiceSettings, quick: None
) -> None:
    worker = broker.consumer(settings)
    for number in range(3):
        worker.enqueue(message(number))
    first = worker.consume("jobs", prefetch=3)
    assert take(first, 1) == [0]  # it holds three
    second = worker.consume("jobs", prefetch=3)  # what Dramatiq does after a connection error
    assert sorted(take(second, 3)) == [0, 1, 2]


def test_the_queues_of_a_worker_are_consumed_under_one_name(settings: ServiceSettings) -> None:
    worker = broker.consumer(settings)
    name = worker.broker_id
    for queue in ("jobs", "jobs.DQ", "events"):
        worker.consume(queue)
    assert worker.broker_id == name


async def test_a_retry_that_redis_cannot_take_now_is_taken_when_it_is_back(
    over_wire: ServiceSettings, redis_wire: Any, redis: Redis, service: str, quick: None
) -> None:
    worker = broker.consumer(over_wire)
    assert isinstance(worker, WorkerBroker)
    await redis_wire.cut()
    enqueuing = asyncio.create_task(asyncio.to_thread(worker.enqueue, message(1), delay=10))
    await asyncio.sleep(0.2)
    assert not enqueuing.done()
    await redis_wire.mend()
    await enqueuing
    assert await redis.llen("{intervai-" + service + "}:jobs.DQ") == 1


def test_a_publisher_says_at_once_that_redis_is_away(without_redis: ServiceSettings, service: str) -> None:
    with pytest.raises(RedisConnectionError):
        broker.publisher(without_redis, service).enqueue(message(1))


@pytest.mark.parametrize("error", [ValueError(), OperationFailure("no"), KeyError()])
def test_a_failure_is_worth_three_attempts(error: Exception) -> None:
    assert [broker.worth_a_retry(retries, error) for retries in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("error", [AutoReconnect(), ServerSelectionTimeoutError(), RedisConnectionError()])
def test_a_part_that_is_down_uses_up_no_attempts(error: Exception) -> None:
    assert all(broker.worth_a_retry(retries, error) for retries in range(100))


def test_all_keys_of_a_service_are_in_one_slot_of_a_cluster() -> None:
    assert broker.namespace("qa-service") == "{intervai-qa-service}"
