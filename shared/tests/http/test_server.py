"""An API process of its own: how it starts, drains and ends."""

import asyncio
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from intervai_shared.http import server
from intervai_shared.http.health import Health
from intervai_shared.settings import ServiceSettings

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def start(settings: ServiceSettings, port: int, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(**environment: str) -> subprocess.Popen[bytes]:
        own = {"SERVICE": settings.service, "PORT": str(port), "PYTHONPATH": str(Path(__file__).parent), **environment}
        command = [sys.executable, "-m", "intervai_shared.serve", "probe_app"]
        with (tmp_path / "log").open("w") as log:
            started.append(subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
async def client(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as made:
        yield made


async def ready(client: httpx.AsyncClient) -> int:
    """The status of the readiness probe; 0 while nobody listens."""
    try:
        return (await client.get("/health/ready")).status_code
    except httpx.TransportError:
        return 0


async def test_on_sigterm_it_says_not_ready_goes_on_serving_finishes_and_ends_well(
    start: Start, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    process = start(DRAIN_SECONDS="1")
    await eventually(lambda: _is(client, 200))
    slow = asyncio.create_task(client.get("/slow"))  # takes longer than the drain
    await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    await eventually(lambda: _is(client, 503))
    assert (await client.get("/quick")).json() == "quick"
    assert (await slow).json() == "slow"
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert await ready(client) == 0


async def test_an_answer_that_breaks_in_the_middle_does_not_look_whole(
    start: Start, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    start()
    await eventually(lambda: _is(client, 200))
    with pytest.raises(httpx.TransportError):
        await client.get("/broken-stream")
    assert (await client.get("/quick")).json() == "quick"


async def test_a_process_that_cannot_open_its_parts_ends_with_an_error(start: Start) -> None:
    assert await asyncio.to_thread(start(MONGO_URI="http://no-mongo.invalid/").wait, 20) == 1


async def test_a_wrong_setting_ends_the_start_with_its_one_line(start: Start, tmp_path: Path) -> None:
    assert await asyncio.to_thread(start(REDIS_URL="").wait, 20) == 1
    assert (
        tmp_path / "log"
    ).read_text() == "ServiceSettings: cannot start, wrong settings: REDIS_URL: Field required\n"


async def _is(client: httpx.AsyncClient, status: int) -> bool:
    return await ready(client) == status


class Arriving:
    """Requests that come in before so many looks, and none after."""

    def __init__(self, looks: float) -> None:
        self.looks = looks
        self.looked = 0

    @property
    def quiet_seconds(self) -> float:
        self.looked += 1
        return 0.0 if self.looked <= self.looks else 10.0


def draining_app() -> Any:
    health = Health()
    container = SimpleNamespace(resources=SimpleNamespace(health=health))
    return SimpleNamespace(state=SimpleNamespace(container=container, health=health))


async def test_a_drain_lasts_longer_while_requests_still_come_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    app, arriving = draining_app(), Arriving(3)
    await server._drain(app, arriving, 0.01)
    assert (arriving.looked, app.state.health.draining, app.state.health.closing) == (4, True, True)
    monkeypatch.setattr(server, "LATE_SECONDS", 0.25)
    arriving = Arriving(math.inf)
    await server._drain(app, arriving, 0.01)
    assert 1 <= arriving.looked <= 4


async def test_probes_are_no_arrivals() -> None:
    async def nothing(*_: Any) -> None: ...

    arrivals = server.Arrivals(nothing)
    for path in ("/health/ready", "/metrics"):
        await arrivals({"type": "http", "path": path}, nothing, nothing)
    assert arrivals.quiet_seconds > server.QUIET_SECONDS
    await arrivals({"type": "http", "path": "/api/v1/sessions"}, nothing, nothing)
    assert arrivals.quiet_seconds < 60
