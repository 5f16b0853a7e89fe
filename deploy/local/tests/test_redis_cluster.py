"""`REDIS=cluster`: three servers that the runner makes one Cluster of, and that are the same one after a restart."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from intervai_local import environment, parts
from intervai_local.parts import Plan
from intervai_local.state import SuiteError
from intervai_shared.testing import redis_at

#: One in the slots of each master.
KEYS = ("b", "c", "a")


@contextmanager
def running(plan: Plan) -> Iterator[None]:
    """The servers as circus would start them, once all say that they are ready."""
    servers = parts.redis_servers(plan)
    processes = [subprocess.Popen(server.command, env=dict(server.environment)) for server in servers]
    try:
        ends = time.monotonic() + 90
        while not all(server.ready() for server in servers):
            assert time.monotonic() < ends, "not ready"
            time.sleep(0.1)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def test_three_servers_become_one_cluster_and_stay_it(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(REDIS="cluster")
    url = environment.redis_url(plan.caller, plan.ports, plan.secrets)
    with running(plan), redis_at(url) as client:
        assert len(client.get_primaries()) == 3
        assert len({client.get_node_from_key(key).port for key in KEYS}) == 3
        for key in KEYS:
            client.set(key, f"kept {key}")
    with running(plan), redis_at(url) as client:
        assert [client.get(key) for key in KEYS] == [f"kept {key}".encode() for key in KEYS]


def test_one_server_is_the_default_and_nothing_else_is_known(make_plan: Callable[..., Plan]) -> None:
    assert [server.name for server in parts.redis_servers(make_plan())] == ["valkey"]
    assert environment.redis_url({}, {"valkey": 6379}, {"redis": "p"}) == "redis://:p@127.0.0.1:6379/0"
    environment.check({"REDIS": "cluster"})
    with pytest.raises(SuiteError, match="REDIS must be single or cluster, not 'sentinel'"):
        environment.check({"REDIS": "sentinel"})
