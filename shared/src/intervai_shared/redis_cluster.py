"""redis-py's clients of a Redis Cluster, mended where they differ from a `Redis` in what our code relies on.

That the Cluster is down they say in classes of their own, some of them no RedisError: here it is a ConnectionError.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis.asyncio.cluster as aio
import redis.cluster as blocking
from redis import exceptions
from redis.commands.core import Script
from redis.exceptions import ClusterError, RedisClusterException, SlotNotCoveredError

from intervai_shared.redis_address import RedisAddress

#: Seconds for which it is believed who has which slots, though commands fail: a fail-over takes longer, and each of
#: hundreds of failing commands would ask.
BELIEVE_SECONDS = 0.2
_NO_ANSWER = (exceptions.ConnectionError, exceptions.TimeoutError)


@contextmanager
def _outages_named(also: type[Exception] = SlotNotCoveredError) -> Iterator[None]:
    """Raises ConnectionError for what a Cluster says when it, or a part of it, is down."""
    try:
        yield
    except (ClusterError, SlotNotCoveredError, also) as error:
        raise exceptions.ConnectionError(f"the Cluster is not there: {error}") from error
    except (AttributeError, RuntimeError) as error:
        # Another command has closed the connection meanwhile: redis-py trips over a writer that is None, and uvloop has
        # a word of its own for it (https://github.com/MagicStack/uvloop/issues/506).
        if isinstance(error, AttributeError) and error.obj is not None:
            raise
        raise exceptions.ConnectionError(f"connection lost: {error}") from error


class Cluster(aio.RedisCluster):
    """The client of an event loop."""

    _failed_node: str | None = None
    _believed_until = 0.0

    async def initialize(self, nodes: Any = None, last_failed_node_name: str | None = None) -> "Cluster":
        """Learns who has which slots; asks a node that has failed last. Raises redis.ConnectionError."""
        if not self._initialize:
            return self
        if self.get_default_node() and time.monotonic() < self._believed_until:
            self._initialize = False
            return self
        with _outages_named(RedisClusterException):
            await super().initialize(nodes, last_failed_node_name or self._failed_node)
        self._believed_until = time.monotonic() + BELIEVE_SECONDS
        return self

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Raises redis.RedisError."""
        try:
            with _outages_named():
                # redis-py asks the node that tells where a command's keys are even before it has learnt that it died.
                await self.initialize()
                return await super().execute_command(*args, **options)
        except _NO_ANSWER as error:
            self.doubt(error)
            raise

    def doubt(self, error: Exception) -> None:
        """Has the next command ask anew who has which slots. redis-py does so only mostly, and forgets who failed."""
        self._initialize = True
        self._failed_node = getattr(error, "last_failed_node_name", self._failed_node)

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> "_Pipeline":  # noqa: ARG002
        """Commands by node. In a transaction redis-py starts a thread for each and blocks the loop: use a script."""
        if transaction:
            raise NotImplementedError("no transactions in a Cluster: use a script")
        return _Pipeline(self)  # type: ignore[abstract]  # an attribute that it takes from its client

    def pubsub(self, **options: Any) -> "_PubSub":  # type: ignore[override]  # the node is the channel's
        return _PubSub(self, **options)


class _Pipeline(aio.ClusterPipeline):
    cluster_client: Cluster

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        try:
            with _outages_named():
                return await super().execute(raise_on_error, allow_redirections)
        except _NO_ANSWER as error:
            self.cluster_client.doubt(error)
            raise


class _PubSub(aio.ClusterPubSub):
    cluster: Cluster

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """A subscription goes to the node of the channel's slot, which must be known, and after an outage anew."""
        await self.cluster.initialize()
        try:
            return await super().execute_command(*args, **options)
        except _NO_ANSWER as error:
            self.cluster.doubt(error)
            raise


class BlockingCluster:
    """The client of threads. redis-py's connects when it is made, and fails if nobody is there: this one does both at
    its first command, like any other client."""

    def __init__(self, make: Callable[[], blocking.RedisCluster]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._client: blocking.RedisCluster | None = None

    def register_script(self, script: bytes) -> Script:
        """As a client's own, but connects to nothing."""
        return Script(self, script)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._client is None:
                with _outages_named(RedisClusterException):
                    self._client = self._make()
        return getattr(self._client, name)


class _Blocking(blocking.RedisCluster):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        with _outages_named(RedisClusterException):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def blocking_cluster(address: RedisAddress, options: Mapping[str, Any]) -> BlockingCluster:
    """A client of threads; `options` are redis-py's."""
    nodes = [blocking.ClusterNode(*node) for node in address.nodes]  # type: ignore[no-untyped-call]
    return BlockingCluster(lambda: _Blocking(startup_nodes=nodes, require_full_coverage=True, **options))


def cluster(address: RedisAddress, of: type[aio.RedisCluster], options: Mapping[str, Any]) -> aio.RedisCluster:
    """A client of an event loop, of class `of`."""
    nodes = [aio.ClusterNode(*node) for node in address.nodes]
    # With steps, each fifth redirection would close the connections of all others who are just then using them.
    return of(startup_nodes=nodes, reinitialize_steps=0, **options)
