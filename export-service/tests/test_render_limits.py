"""What a file may take of its process: memory, and how its pieces come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from export_service.exports.render_pool import RenderPool
from export_service.exports.render_process import MemoryLimitError
from export_service.renderers.content import Content

NewContent = Callable[..., Content]
PATIENCE_SECONDS = 20


@pytest.fixture
async def faulty(faulty_command: tuple[str, ...]) -> AsyncIterator[RenderPool]:
    """One process that fails as the title says."""
    pool = RenderPool(1, PATIENCE_SECONDS, faulty_command)
    yield pool
    await pool.close()


async def whole(pool: RenderPool, content: Content) -> bytes:
    """The file in one piece."""
    return b"".join([piece async for piece in pool.render("md", content)])


@pytest.fixture
async def narrow(faulty_command: tuple[str, ...]) -> AsyncIterator[RenderPool]:
    """One process, which may map 384 MiB."""
    pool = RenderPool(1, PATIENCE_SECONDS, faulty_command, memory_mb=384)
    yield pool
    await pool.close()


@pytest.mark.parametrize("title", ["want too much", "abort", "be killed"])
async def test_a_file_that_wants_too_much_memory_fails_alone(
    narrow: RenderPool, content: NewContent, title: str
) -> None:
    pid = await whole(narrow, content())
    (process,) = narrow._all
    with pytest.raises(MemoryLimitError):
        await whole(narrow, content(title=title))
    await process.process.wait()
    assert await whole(narrow, content()) != pid


async def test_a_process_that_has_grown_is_replaced_before_the_next_file(
    narrow: RenderPool, content: NewContent
) -> None:
    small = [await whole(narrow, content()) for _ in range(2)]
    (process,) = narrow._all
    grown = await whole(narrow, content(title="keep too much"))
    assert small[0] == small[1] == grown
    await process.process.wait()
    assert await whole(narrow, content()) != grown


async def test_a_file_comes_in_pieces_and_its_process_waits_for_who_takes_them(
    faulty: RenderPool, content: NewContent
) -> None:
    pieces: list[bytes] = []
    async with aclosing(faulty.render("md", content(title="much"))) as file:
        async for piece in file:
            if not pieces:  # longer than the file may take, and long enough to send all of it
                (process,) = faulty._all
                process._seconds_left = 1.0
                await asyncio.sleep(1.5)
                assert process.process.stdout is not None
                assert len(process.process.stdout._buffer) < 1 << 20  # type: ignore[attr-defined]
            pieces.append(piece)
    assert b"".join(pieces) == bytes(range(256)) * (5 << 12)
    assert max(map(len, pieces)) <= 256 << 10
    assert [process.is_ready for process in faulty._idle] == [True]


async def test_who_takes_no_more_of_a_file_ends_its_process(faulty: RenderPool, content: NewContent) -> None:
    pid = await whole(faulty, content())
    (process,) = faulty._all
    async with aclosing(faulty.render("md", content(title="much"))) as file:
        async for _ in file:
            break
    await process.process.wait()
    assert await whole(faulty, content()) != pid


async def test_the_process_is_free_when_the_last_piece_has_been_taken(faulty: RenderPool, content: NewContent) -> None:
    async with aclosing(faulty.render("md", content())) as file:
        pids = [piece async for piece in file]
        assert await whole(faulty, content()) == pids[0]  # although `file` is not closed yet
