"""What the probes answer: ready, degraded, not ready, draining."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import APIRouter

from intervai_shared.http import health as module
from intervai_shared.http.health import Health
from intervai_shared.settings import ServiceSettings

Serve = Callable[..., Awaitable[httpx.AsyncClient]]


async def works() -> None: ...


async def fails() -> None:
    raise ConnectionError("redis://:my-secret-password@host is down")


def health(**parts: Callable[[], Awaitable[None]]) -> Health:
    """Parts by name; those whose name begins with `needed` are."""
    made = Health()
    for name, check in parts.items():
        made.add(name, check, needed=name.startswith("needed"))
    return made


async def test_ready_when_every_part_answers() -> None:
    assert await health(needed=works, other=works).ready() == ("ready", {"needed": "ok", "other": "ok"})


async def test_degraded_when_a_part_is_down_that_one_can_live_without() -> None:
    assert await health(needed=works, other=fails).ready() == ("degraded", {"needed": "ok", "other": "ConnectionError"})


async def test_not_ready_when_a_needed_part_is_down() -> None:
    assert (await health(needed=fails, other=works).ready())[0] == "not ready"


async def test_a_process_that_drains_is_not_ready_and_says_so_without_asking_its_parts() -> None:
    asked: list[str] = []

    async def noted() -> None:
        asked.append("needed")

    made = health(needed=noted)
    made.draining = True
    assert await made.ready() == ("not ready", {"process": "draining"})
    assert asked == []


async def test_a_part_that_hangs_is_down_after_its_time_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_SECONDS", 0.05)
    order: list[str] = []

    async def hangs() -> None:
        order.append("begin")
        await asyncio.sleep(3600)

    status, parts = await health(needed=works, one=hangs, two=hangs).ready()
    assert status == "degraded"
    assert parts == {"needed": "ok", "one": "TimeoutError", "two": "TimeoutError"}
    assert order == ["begin", "begin"]


async def test_a_part_that_hangs_is_asked_once_however_often_its_state_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_SECONDS", 0.02)
    answers, asked = asyncio.Event(), 0

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await answers.wait()

    checked = health(needed=hangs)
    states = [(await checked.ready())[0] for _ in range(5)]
    assert (states, asked) == (["not ready"] * 5, 1)
    asyncio.get_running_loop().call_later(0.005, answers.set)
    assert (await checked.ready())[0] == "not ready"  # the answer comes while it is asked, but too late
    await answers.wait()
    assert (await checked.ready())[0] == "ready"
    assert asked == 2


async def test_a_check_that_never_ends_is_begun_anew_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(module, "CHECK_ENDS_SECONDS", 0.01)
    asked = 0

    async def hangs_once() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.sleep(3600)

    checked = health(needed=hangs_once)
    assert [(await checked.ready())[0] for _ in range(2)] == ["not ready", "ready"]


async def test_what_is_said_of_a_part_holds_no_secret() -> None:
    assert "secret" not in str(await health(needed=fails).ready())


async def test_a_service_with_all_parts_is_ready(serve: Serve) -> None:
    answer = await (await serve(APIRouter())).get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {"mongo": "ok", "redis": "ok"}})


async def test_a_service_without_redis_starts_and_takes_traffic(serve: Serve, without_redis: ServiceSettings) -> None:
    client = await serve(APIRouter(), without_redis)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"] == {"mongo": "ok", "redis": "ConnectionError"}


async def test_a_draining_service_says_503_and_lives(serve: Serve) -> None:
    client = await serve(APIRouter())
    client._transport.app.state.container.resources.health.draining = True  # type: ignore[attr-defined]
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).json() == {"status": "live"}


async def test_metrics_are_those_of_prometheus(serve: Serve) -> None:
    answer = await (await serve(APIRouter())).get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE intervai_http_requests_total counter" in answer.text
