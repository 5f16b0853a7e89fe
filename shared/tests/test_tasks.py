"""Background tasks start again when they fail, and end with their block whatever they do."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from intervai_shared import tasks
from intervai_shared.tasks import keep_running

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_SECONDS", 0.01)
    monkeypatch.setattr(tasks, "CANCEL_SECONDS", 0.05)


async def test_a_task_that_fails_or_ends_is_run_again(eventually: Eventually) -> None:
    starts: list[int] = []

    async def body() -> None:
        starts.append(1)
        if len(starts) % 2:
            raise RuntimeError("no")

    async def thrice() -> bool:
        return len(starts) > 3

    async with keep_running("body", body):
        await eventually(thrice)
    ended = len(starts)
    await asyncio.sleep(0.05)
    assert len(starts) == ended


async def test_a_task_whose_cancellation_was_swallowed_ends_all_the_same() -> None:
    swallowed: list[int] = []

    async def body() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed.append(1)
        await asyncio.sleep(60)

    async with asyncio.timeout(10), keep_running("body", body):
        await asyncio.sleep(0.01)
    assert len(swallowed) == 1


async def test_a_task_whose_clean_up_fails_ends_all_the_same() -> None:
    async def body() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ConnectionError("the part that I clean up is gone")

    async with asyncio.timeout(10), keep_running("body", body):
        await asyncio.sleep(0.01)
