"""What a Cluster alone can do: be there in part, and hand a slot over."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import RedisError

from intervai_local.topologies import Topology
from intervai_shared import redis as redis_module
from intervai_shared import redis_cluster
from intervai_shared.settings import ServiceSettings

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
pytestmark = pytest.mark.parametrize("topology", ["cluster"], indirect=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that are asked who has which slots."""
    ports: list[int] = []
    execute = ClusterNode.execute_command

    async def noted(node: Any, *args: Any, **options: Any) -> Any:
        if args[0] == "CLUSTER SLOTS":
            ports.append(node.port)
        return await execute(node, *args, **options)

    monkeypatch.setattr(ClusterNode, "execute_command", noted)
    return ports


async def test_a_planned_fail_over_goes_unnoticed(redis: Any, topology: Topology, service: str) -> None:
    moved = asyncio.Event()

    async def count() -> int:
        counted = 0
        while not moved.is_set():
            await redis.incr(service)
            counted += 1
        return counted

    await redis.set(service, 0)
    old = await asyncio.to_thread(topology.find_master, service)
    counting = [asyncio.create_task(count()) for _ in range(10)]
    replica = redis.get_node_from_key(service, replica=True)
    await redis.execute_command("CLUSTER FAILOVER", target_nodes=replica)
    while await asyncio.to_thread(topology.find_master, service) is old:  # noqa: ASYNC110  it is the Cluster that changes
        await asyncio.sleep(0)
    await redis.incr(service)  # at the new master
    moved.set()
    assert sum(await asyncio.gather(*counting)) == int(await redis.get(service)) - 1


async def test_a_hundred_commands_that_fail_ask_once_who_has_which_slots(
    redis: Any, topology: Topology, service: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cluster, "BELIEVE_SECONDS", 60.0)
    await redis.set(service, 0)
    assert len(asked) == 1
    (await asyncio.to_thread(topology.find_master, service)).kill()
    answers = await asyncio.gather(*(redis.get(service) for _ in range(100)), return_exceptions=True)
    assert all(isinstance(answer, RedisError) for answer in answers)
    assert len(asked) == 1


async def test_who_only_listens_hears_again_after_a_node_has_died(
    settings: ServiceSettings, topology: Topology, service: str, eventually: Eventually
) -> None:
    """It is the node that tells where a stream's key is, and the one that has the channel's slot; nobody else of this
    process says anything to it."""
    reader, listener = (redis_module.connect(settings) for _ in range(2))
    cluster: Any = reader
    await reader.ping()
    await listener.ping()
    dying = cluster.get_default_node()
    stream = _key(cluster, lambda node: node != dying)
    channel = _key(cluster, lambda node: node == dying)
    node = next(node for node in topology.nodes if node.port == dying.port)
    await asyncio.to_thread(node.kill)

    async def reads() -> bool:
        return await works(lambda: reader.xread({stream: "0-0"}))

    async def hears() -> bool:
        async with listener.pubsub() as messages:
            is_sent = await works(lambda: messages.subscribe(channel))
            return is_sent and await works(lambda: messages.get_message(timeout=5))

    await eventually(reads)
    await eventually(hears)
    for client in (reader, listener):
        await client.aclose()


@pytest.fixture
def partial(topology: Topology) -> Iterator[None]:
    """A node that is given up takes only its own slots along, until its replica has them. By default all of the Cluster
    is down then, and on a busy machine a test may last longer than a node may be silent."""
    for node in topology.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    yield
    for node in topology.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")


@pytest.mark.usefixtures("partial")
async def test_a_silent_node_is_not_asked_while_there_are_others(
    settings: ServiceSettings, topology: Topology, service: str, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cluster, "BELIEVE_SECONDS", 0.0)
    client = redis_module.connect(settings.model_copy(update={"redis_timeout_seconds": 0.3}))
    cluster: Any = client
    await client.set(service, "here")
    silent = await asyncio.to_thread(topology.find_master, service)
    elsewhere = _key(cluster, lambda node: node.port != silent.port)
    silent.signal(signal.SIGSTOP)
    try:
        with pytest.raises(RedisError):
            await client.get(service)
        asked.clear()
        for _ in range(30):
            cluster._initialize = True
            await client.get(elsewhere)
        assert len(asked) >= 30
        assert silent.port not in asked
    finally:
        silent.signal(signal.SIGCONT)
        await client.aclose()


def _key(cluster: Any, of_node: Callable[[Any], bool]) -> str:
    """A key that such a node has."""
    return next(key for key in map(str, range(1000)) if of_node(cluster.get_node_from_key(key)))


async def works(command: Callable[[], Awaitable[Any]]) -> bool:
    try:
        await command()
    except RedisError:
        return False
    return True
