"""Least connections, measured: what a slow instance gets, and what the death of an instance costs."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from intervai_local import gateway_config, probes

FAST, SLOW = 0.01, 0.2
Start = Callable[..., "list[Instance]"]


@dataclass
class Instance:
    process: "subprocess.Popen[str]"
    port: int


@dataclass(frozen=True)
class Request:
    method: str
    began: float
    ended: float
    status: int
    port: int


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts instances that answer after so many seconds each."""
    made: list[Instance] = []

    def start(*seconds: float) -> list[Instance]:
        script = Path(__file__).with_name("instance.py")
        for each in seconds:
            process = subprocess.Popen([sys.executable, script, str(each)], stdout=subprocess.PIPE, text=True)
            assert process.stdout
            made.append(Instance(process, int(process.stdout.readline())))
        return made

    yield start
    for instance in made:
        instance.process.kill()
        instance.process.wait()
        assert instance.process.stdout
        instance.process.stdout.close()


@pytest.fixture(scope="module")
def own(start_edge: Callable[..., Any]) -> Any:
    return start_edge()


def put_behind(edge: Any, instances: list[Instance]) -> None:
    """Makes them qa-service, as the local runner does, and once more under /wrr/ with that strategy instead."""
    servers = {f"qa-service-{number}": item.port for number, item in enumerate(instances, 1)}
    others = {f"{name}-1": group[0].port for name, group in edge.backends.items()}
    counts = dict.fromkeys(edge.backends, 1) | {"qa-service": len(instances)}
    gateway_config.write_services(edge.state, counts, others | servers)
    file = edge.state.gateway / "dynamic" / "services.yml"
    ready = yaml.safe_load(file.read_text())["http"]["services"]["qa-service-ready"]["loadBalancer"]
    assert ready["strategy"] == "p2c"
    router = {"entryPoints": ["web"], "rule": "PathPrefix(`/wrr/`)", "middlewares": ["edge-read"], "service": "wrr"}
    services = {"wrr": {"loadBalancer": {**ready, "strategy": "wrr"}}}
    added = yaml.safe_dump({"http": {"routers": {"wrr": router}, "services": services}})
    (edge.state.gateway / "dynamic" / "wrr.yml").write_text(added)
    known = probes.gateway_knows(edge.internal_port, [server["url"] for server in ready["servers"]])
    wait_until(lambda: known() and edge.public.get("/wrr/x").status_code == 200)


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


class Crowd:
    """Clients who each send the next request when the last has been answered, until `enough` of all requests."""

    def __init__(self, edge: Any, enough: Callable[[list[Request]], bool]) -> None:
        self.done: list[Request] = []
        self._enough = enough
        self._url = f"http://127.0.0.1:{edge.port}"

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, timeout=60, trust_env=False)

    async def ask(self, method: str, path: str, clients: int) -> list[Request]:
        """What so many clients got. Raises TimeoutError after 100 s."""
        async with asyncio.timeout(100), self._client() as client:
            answers = await asyncio.gather(*(self._one(client, method, path) for _ in range(clients)))
        return [request for each in answers for request in each]

    async def _one(self, client: httpx.AsyncClient, method: str, path: str) -> list[Request]:
        mine = []
        while not self._enough(self.done):
            began = time.monotonic()
            answer = await client.request(method, path, content=b"{}" if method == "POST" else None)
            port = answer.json()["port"] if answer.status_code == 200 else 0
            mine.append(Request(method, began, time.monotonic(), answer.status_code, port))
            self.done.append(mine[-1])
        return mine


async def test_a_slow_instance_gets_few_requests_by_least_connections_and_a_third_in_turn(
    own: Any, start: Start
) -> None:
    instances = start(FAST, FAST, SLOW)
    put_behind(own, instances)
    crowds = {name: Crowd(own, lambda done: len(done) >= 180) for name in ("p2c", "wrr")}
    paths = {"p2c": "/api/v1/sessions", "wrr": "/wrr/x"}  # at the same time, so that the machine is as busy for both
    await asyncio.gather(*(crowd.ask("GET", paths[name], 9) for name, crowd in crowds.items()))
    share, seconds = {}, {}
    for name, crowd in crowds.items():
        assert {request.status for request in crowd.done} == {200}
        share[name] = Counter(request.port for request in crowd.done)[instances[2].port] / len(crowd.done)
        seconds[name] = max(one.ended for one in crowd.done) - min(one.began for one in crowd.done)
        rate = len(crowd.done) / seconds[name]
        print(f"{name}: {rate:.0f} requests/s, {share[name]:.1%} of them to the slow one")  # noqa: T201
    fair = fair_share(crowds["p2c"].done, instances)
    print(f"fair, by how long each took: {fair:.1%}")  # noqa: T201
    assert 0.28 < share["wrr"] < 0.39
    assert share["p2c"] < 0.05 + 1.5 * fair
    assert seconds["p2c"] < 1.15 * seconds["wrr"]


def fair_share(done: list[Request], instances: list[Instance]) -> float:
    """What the last instance gets when each has as many open requests: by Little's law it follows from how long each
    took, which on a busy machine is more than they slept."""
    speeds = []
    for instance in instances:
        took = [one.ended - one.began for one in done if one.port == instance.port]
        speeds.append(len(took) / sum(took))
    return speeds[-1] / sum(speeds)


async def test_a_dead_instance_costs_no_read_and_only_the_writes_that_it_had(own: Any, start: Start) -> None:
    instances, writers, died = start(FAST, FAST, FAST), 6, float("inf")
    put_behind(own, instances)
    crowd = Crowd(own, lambda done: sum(request.began > died for request in done) >= 200)
    reading = asyncio.create_task(crowd.ask("GET", "/api/v1/sessions", 6))
    writing = asyncio.create_task(crowd.ask("POST", "/api/v1/sessions", writers))
    await asyncio.to_thread(wait_until, lambda: len(crowd.done) >= 100)
    instances[0].process.kill()
    await asyncio.to_thread(instances[0].process.wait)
    died = time.monotonic()
    reads, writes = await asyncio.gather(reading, writing)
    lost = [request for request in writes if request.status != 200]
    print(f"{len(reads)} reads, {len(writes)} writes, {len(lost)} lost")  # noqa: T201
    assert {request.status for request in reads} == {200}
    assert len(lost) <= writers
    assert {request.status for request in lost} <= {502}
    assert all(request.began < died for request in lost)
    assert Counter(one.port for one in crowd.done if one.began < died)[instances[0].port] > 10
    assert {one.port for one in crowd.done if one.began > died} == {item.port for item in instances[1:]}
