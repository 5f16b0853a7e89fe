"""The services' processes with a fault proxy before each part: own gateway, own ports, own databases; the parts are
those of the running suite."""

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pymongo import MongoClient
from redis import Redis

from intervai_local import gateway_config
from intervai_local.parts import Plan, Process, instances, service_process, traefik
from intervai_local.state import HOST, State, free_port
from tests.chaos.proxy import FaultProxy

#: The parts that can be taken away: the setting that names each, and its name among the runner's ports.
PARTS = {
    "mongo": ("MONGO_URI", "mongo"),
    "redis": ("REDIS_URL", "valkey"),
    "s3": ("S3_ENDPOINT", "s3"),
    "llm": ("OPENAI_BASE_URL", "offline-llm"),
    "smtp": ("SMTP_URL", "mail"),
}
#: The internal gateway, which is our own: by it services reach their sisters.
SISTER = "sister"
#: Seconds that a process may take to be ready; a busy machine needs some.
START_SECONDS = 150
_chosen: set[int] = set()


@dataclass
class Stack:
    """The processes and the lines to their parts. `gateway_url` is the public entry point."""

    plan: Plan
    proxies: dict[str, FaultProxy]
    internal_port: int
    prefix: str
    redis_database: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.plan.ports['gateway']}"

    @property
    def internal_url(self) -> str:
        """The internal entry point itself, beside the line that the services take to it."""
        return f"http://{HOST}:{self.internal_port}"

    @property
    def mongo_uri(self) -> str:
        """The server itself, beside the line that the services take to it."""
        return os.environ["MONGO_URI"]

    def url(self, instance: str) -> str:
        """Straight to a process, without the gateway: for its health."""
        return f"http://{HOST}:{self.plan.ports[instance]}"

    def log_of(self, instance: str) -> str:
        return (self.plan.state.logs / f"{instance}.log").read_text()

    def database(self, service: str) -> str:
        return f"{self.prefix}_{service}"

    def start(self, process: Process, **overrides: str) -> None:
        with (self.plan.state.logs / f"{process.name}.log").open("wb") as log:
            environment = {**process.environment, **overrides}
            started = subprocess.Popen(
                process.command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=self.plan.state.root
            )
        self.running[process.name] = started

    def check_alive(self) -> None:
        """Raises AssertionError with the log of a process that has ended."""
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended: {self.log_of(name)[-3000:]}"

    def stop(self) -> None:
        """At once: nothing here is worth a drain."""
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()


@asynccontextmanager
async def open_stack(redis_database: int, **overrides: str) -> AsyncIterator[Stack]:
    """Starts everything and waits until it is ready; removes its data at the end. `overrides` are settings of all."""
    async with AsyncExitStack() as stack:
        proxies = {name: await stack.enter_async_context(_proxy(variable)) for name, (variable, _) in PARTS.items()}
        state = State(Path(tempfile.mkdtemp(prefix="intervai-deps-", dir="/tmp")))
        stack.callback(shutil.rmtree, state.root)
        state.create()
        internal = own_port()
        proxies[SISTER] = await stack.enter_async_context(FaultProxy(HOST, internal, own_port()))
        made = Stack(_plan(state, proxies), proxies, internal, f"deps{secrets.token_hex(4)}", redis_database)
        stack.enter_context(_own_data(made))
        stack.callback(made.stop)
        _start_all(made, overrides)
        await _until_ready(made)
        yield made


def own_port() -> int:
    """A free port that no other stack of this test process has chosen: theirs may not listen yet."""
    _chosen.add(port := free_port(excluding=_chosen))
    return port


def _proxy(variable: str) -> FaultProxy:
    address = urlsplit(os.environ[variable])
    return FaultProxy(str(address.hostname), int(address.port or 0), own_port())


def _plan(state: State, proxies: dict[str, FaultProxy]) -> Plan:
    suite = State(Path(os.environ["STATE_DIR"]))
    counts = {
        name: 1 for domain in ("auth", "user", "qa", "export") for name in (f"{domain}-service", f"{domain}-worker")
    }
    parts = {port_name: proxies[name].port for name, (_, port_name) in PARTS.items()}
    ports = {**parts, "gateway-internal": proxies[SISTER].port, "gateway": own_port()}
    for name in instances(counts):
        ports[name] = own_port()
    # Of these the runner's own addresses count, which are those of our proxies.
    caller = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "SMTP_"))}
    return Plan(state, caller, ports, suite.secrets(), counts)


def _start_all(stack: Stack, overrides: dict[str, str]) -> None:
    plan = stack.plan
    gateway_config.write_static(plan.state, HOST, plan.ports["gateway"], stack.internal_port)
    gateway_config.write_services(plan.state, plan.counts, plan.ports)
    stack.start(traefik(plan), RATE_LIMIT_SCALE="0")
    for name in instances(plan.counts):
        process = service_process(plan, name)
        stack.start(process, **_settings(stack, process.environment, name), **overrides)


def _settings(stack: Stack, environment: Any, name: str) -> dict[str, str]:
    mongo = f"{environment['MONGO_URI']}?directConnection=true"  # else the driver goes to where the server says it is
    return {
        "MONGO_URI": mongo,
        "MONGO_READ_URI": f"{mongo}&readPreference=secondaryPreferred",
        "MONGO_DATABASE": stack.database(name.split("-", maxsplit=1)[0]),
        "REDIS_URL": environment["REDIS_URL"].removesuffix("/0") + f"/{stack.redis_database}",
        "RATE_LIMIT_SCALE": "1000",  # on, but far away
        "DRAIN_SECONDS": "0",
    }


@contextlib.contextmanager
def _own_data(stack: Stack) -> Iterator[None]:
    url = os.environ["REDIS_URL"].removesuffix("/0") + f"/{stack.redis_database}"
    with Redis.from_url(url) as redis, MongoClient[Any](os.environ["MONGO_URI"]) as mongo:
        redis.flushdb()
        try:
            yield
        finally:
            redis.flushdb()
            mongo.admin.command("killAllSessions", [])  # see own_database in conftest.py
            for service in ("auth", "user", "qa", "export"):
                mongo.drop_database(stack.database(service))


async def _until_ready(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=2) as client:
        urls = {name: stack.url(name) + "/health/ready" for name in instances(stack.plan.counts)}
        for name, url in {**urls, "traefik": stack.gateway_url + "/.well-known/jwks.json"}.items():
            deadline = time.monotonic() + START_SECONDS
            while (told := await _told(client, url)) != "200":
                stack.check_alive()
                assert time.monotonic() < deadline, f"{name} is not ready: {told} {stack.log_of(name)[-2000:]}"
                await asyncio.sleep(0.05)


async def _told(client: httpx.AsyncClient, url: str) -> str:
    """`200`, or what came instead."""
    try:
        answer = await client.get(url)
    except httpx.TransportError as error:
        return repr(error)
    return "200" if answer.status_code == 200 else f"{answer.status_code} {answer.text}"
