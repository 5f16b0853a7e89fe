"""Fixtures of the chassis's tests: settings of a service of the test's own, its connections, a token issuer, and a
way to take a part away and give it back."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from intervai_shared import mongo as mongo_module
from intervai_shared import redis as redis_module
from intervai_shared.messaging import inbox, outbox
from intervai_shared.mongo import Mongo
from intervai_shared.redis_address import parse
from intervai_shared.settings import ServiceSettings
from intervai_shared.testing import redis_at

#: A database of Redis that no other tests use: these trim streams and count keys.
REDIS_DATABASE = 7


@pytest.fixture
def service() -> str:
    """The name of a service that only this test knows."""
    return f"shared-test-{secrets.token_hex(4)}"


@pytest.fixture
def settings(
    own_database: str, service: str, redis_beside: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServiceSettings]:
    """Settings of that service, with rate limits on; its keys in Redis are removed at the end."""
    url = redis_beside(REDIS_DATABASE)
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("RATE_LIMIT_SCALE", "1")
    yield ServiceSettings(service=service)
    with redis_at(url) as client:
        for key in list(client.scan_iter(f"*{service}*", count=1000)):
            client.delete(key)


@pytest.fixture
def without_redis(settings: ServiceSettings) -> ServiceSettings:
    """The same settings with a Redis that is down: nobody listens on its port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")})


@pytest.fixture
async def redis(settings: ServiceSettings) -> AsyncIterator[Redis]:
    """The process's Redis client."""
    client = redis_module.connect(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def mongo(settings: ServiceSettings) -> AsyncIterator[Mongo]:
    """The process's Mongo, with the chassis's indexes."""
    connected = mongo_module.connect(settings)
    await mongo_module.ensure_indexes(connected.db, {**outbox.INDEXES, **inbox.INDEXES})
    yield connected
    await connected.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until something has come true; far longer than it takes, so that a busy machine changes nothing."""

    async def wait(holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(45):
            while not await holds():  # noqa: ASYNC110  it is a part outside of this process that changes
                await asyncio.sleep(0.02)

    return wait


class Clock:
    """The time of one module, which the test sets forward by `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], Clock]:
    """Gives a module a clock of its own; the event loop and the parts keep theirs."""

    def give(module: ModuleType) -> Clock:
        clock = Clock()
        monkeypatch.setattr(module, "time", clock)
        return clock

    return give


class Wire:
    """A TCP line to a server that the test can cut and mend, as a network or a restart does."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        self._open |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def wire_to() -> AsyncIterator[Callable[[str, int], Awaitable[Wire]]]:
    """Makes a line to any server."""
    wires: list[Wire] = []

    async def make(host: str, port: int) -> Wire:
        wires.append(Wire(host, port))
        await wires[-1].mend()
        return wires[-1]

    yield make
    for wire in wires:
        await wire.cut()


@pytest.fixture
async def redis_wire(settings: ServiceSettings, wire_to: Callable[[str, int], Awaitable[Wire]]) -> Wire:
    """A line to the real Redis, if it is one server: a Cluster's nodes tell clients to go past the line. How Clusters
    go away is tested with their nodes killed, in test_redis_away.py and messaging/topologies."""
    if parse(settings.redis_url.get_secret_value()).kind == "cluster":
        pytest.skip("clients of a Cluster go to the addresses that its nodes tell, not over a line that can be cut")
    parts = urlsplit(settings.redis_url.get_secret_value())
    return await wire_to(str(parts.hostname), int(parts.port or 6379))


@pytest.fixture
async def mongo_wire(settings: ServiceSettings, wire_to: Callable[[str, int], Awaitable[Wire]]) -> Wire:
    """A line to the real Mongo."""
    parts = urlsplit(settings.mongo_uri.get_secret_value())
    return await wire_to(str(parts.hostname), int(parts.port or 27017))


@pytest.fixture
def over_wire(settings: ServiceSettings, redis_wire: Wire) -> ServiceSettings:
    """Settings whose Redis is at the end of `redis_wire`."""
    parts = urlsplit(settings.redis_url.get_secret_value())
    netloc = parts.netloc.rsplit(":", 1)[0] + f":{redis_wire.port}"
    return settings.model_copy(update={"redis_url": SecretStr(parts._replace(netloc=netloc).geturl())})
