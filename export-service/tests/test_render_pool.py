"""The rendering processes: beside the event loop, replaceable, gone when there is nothing to do."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import psutil
import pytest
from bson import ObjectId

from export_service.exports import render_pool
from export_service.exports.render_pool import RenderPool, open_pool
from export_service.exports.render_process import RenderError
from export_service.renderers import RENDERERS
from export_service.renderers.content import Content, Item
from export_service.worker import ExportWorker

#: Its Markdown is the id of the process; see faulty_renderer.py for what titles do.
NewContent = Callable[..., Content]
PATIENCE_SECONDS = 20


@pytest.fixture
async def faulty(faulty_command: tuple[str, ...]) -> AsyncIterator[RenderPool]:
    """One process that fails as the title says."""
    pool = RenderPool(1, PATIENCE_SECONDS, faulty_command)
    yield pool
    await pool.close()


async def whole(pool: RenderPool, kind: str, content: Content) -> bytes:
    """The file in one piece."""
    return b"".join([piece async for piece in pool.render(kind, content)])


async def gone(pid: int) -> None:
    """Returns when the process has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while psutil.pid_exists(pid):
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        assert time.monotonic() < deadline, f"process {pid} is still there"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", RENDERERS)
async def test_the_pool_gives_what_the_renderer_makes(kind: str, content: NewContent) -> None:
    async with open_pool(1, 30) as pool:
        assert await whole(pool, kind, content()) == RENDERERS[kind].render(content())


async def test_the_event_loop_goes_on_while_a_file_renders(content: NewContent) -> None:
    items = [
        Item(f"{number:024x}", f"Question {number}?", "Answer. " * 200, "easy", "T", [], [], False, "")
        for number in range(200)
    ]
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    async with open_pool(1, 60) as pool:
        await whole(pool, "json", content())  # started
        ticking = asyncio.create_task(tick())
        await whole(pool, "pdf", content(items=items))
        ticking.cancel()
    assert ticks > 10


async def test_a_process_that_dies_fails_its_file_and_no_other(faulty: RenderPool, content: NewContent) -> None:
    results = await asyncio.gather(
        *(whole(faulty, "md", content(title=title)) for title in ("fine", "die", "fine", "fine")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [bytes, RenderError, bytes, bytes]
    assert results[0] != results[2] == results[3]


async def test_a_process_that_died_between_files_is_not_asked(faulty: RenderPool, content: NewContent) -> None:
    pid = int(await whole(faulty, "md", content()))
    (renderer,) = faulty._idle
    os.kill(pid, signal.SIGKILL)
    await renderer.process.wait()
    assert int(await whole(faulty, "md", content())) != pid


async def test_what_a_renderer_raises_fails_its_file_and_keeps_the_process(
    faulty: RenderPool, content: NewContent
) -> None:
    pid = await whole(faulty, "md", content())
    with pytest.raises(RenderError, match="no such glyph"):
        await whole(faulty, "md", content(title="raise"))
    assert await whole(faulty, "md", content()) == pid


async def test_what_a_library_prints_is_no_part_of_a_file(faulty: RenderPool, content: NewContent) -> None:
    assert (await whole(faulty, "md", content(title="print"))).isdigit()


async def test_a_file_that_takes_too_long_is_given_up_with_its_process(faulty: RenderPool, content: NewContent) -> None:
    pid = int(await whole(faulty, "md", content()))
    faulty._seconds = 0.2
    with pytest.raises(TimeoutError):
        await whole(faulty, "md", content(title="hang"))
    await gone(pid)
    faulty._seconds = PATIENCE_SECONDS
    assert int(await whole(faulty, "md", content())) != pid


async def test_a_file_that_nobody_waits_for_any_more_holds_up_no_other(faulty: RenderPool, content: NewContent) -> None:
    pid = int(await whole(faulty, "md", content()))
    waiting = asyncio.create_task(whole(faulty, "md", content(title="hang")))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert int(await whole(faulty, "md", content())) != pid
    await gone(pid)


async def test_a_process_is_replaced_after_its_share_of_files_also_in_a_burst(
    faulty: RenderPool, content: NewContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_pool, "FILES_PER_PROCESS", 3)
    pids = await asyncio.gather(*(whole(faulty, "md", content()) for _ in range(8)))
    assert sorted(pids.count(pid) for pid in set(pids)) == [2, 3, 3]


async def test_as_many_files_as_processes_are_rendered_at_a_time(
    faulty_command: tuple[str, ...], content: NewContent
) -> None:
    pool = RenderPool(2, 10.0, faulty_command)
    pids = await asyncio.gather(*(whole(pool, "md", content(title="wait")) for _ in range(6)))
    await pool.close()
    assert len(set(pids)) == 2


async def test_processes_end_when_there_is_nothing_to_do(
    faulty: RenderPool, content: NewContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_pool, "IDLE_SECONDS", 0.05)
    await gone(int(await whole(faulty, "md", content())))
    assert (await whole(faulty, "md", content())).isdigit()


async def test_closing_ends_the_processes_whatever_they_are_at(faulty: RenderPool, content: NewContent) -> None:
    pid = int(await whole(faulty, "md", content()))
    waiting = asyncio.create_task(whole(faulty, "md", content(title="hang")))
    await asyncio.sleep(0.05)
    await faulty.close()
    with pytest.raises(RenderError):
        await waiting
    await gone(pid)


async def test_a_rendering_process_knows_no_secret_of_the_worker(
    faulty: RenderPool, content: NewContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of the worker")
    environment = await whole(faulty, "md", content(title="environment"))
    assert b"AWS" not in environment
    assert b"a secret of the worker" not in environment


async def test_the_rendering_process_of_a_killed_worker_ends_too() -> None:
    worker = """
import asyncio, os, signal
from export_service.exports.render_pool import open_pool
from export_service.renderers.content import Content
async def work():
    async with open_pool(1, 30) as pool:
        content = Content("0" * 24, "Title", "Role", "senior", [], "2026-03-05T10:00:00Z", [])
        assert [piece async for piece in pool.render("json", content)]
        print(*(renderer.process.pid for renderer in pool._all), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(work())
"""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", worker, stdout=PIPE)
    printed, _ = await killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    await gone(int(printed))


async def test_an_export_whose_process_died_is_tried_again(
    start: Callable[..., Awaitable[ObjectId]],
    api: httpx.AsyncClient,
    worker: ExportWorker,
    faulty: RenderPool,
    content: NewContent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export_id = await start()
    render = worker.maker._planner._pool.render

    def die(kind: str, _: Any) -> AsyncGenerator[bytes, None]:
        return faulty.render(kind, content(title="die"))

    monkeypatch.setattr(worker.maker._planner._pool, "render", die)
    with pytest.raises(RenderError):
        await worker.maker.run(export_id)
    assert (await api.get(f"/api/v1/exports/{export_id}")).json()["status"] == "queued"
    monkeypatch.setattr(worker.maker._planner._pool, "render", render)
    await worker.maker.run(export_id)
    assert (await api.get(f"/api/v1/exports/{export_id}")).json()["status"] == "ready"
