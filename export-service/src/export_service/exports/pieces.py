"""A file on its way from the process that renders it into S3."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from export_service.exports.render_pool import RenderPool
from export_service.exports.render_process import MemoryLimitError
from export_service.renderers.content import Content
from intervai_shared.jobs import JobRun, PermanentError


async def rendered(pool: RenderPool, kind: str, content: Content) -> AsyncGenerator[bytes, None]:
    """The file of a format, in pieces; to be closed by who may stop early.

    Raises:
        PermanentError: it takes more time or memory than a file may.
        RenderError: see there.
    """
    try:
        async with aclosing(pool.render(kind, content)) as pieces:
            async for piece in pieces:
                yield piece
    except (TimeoutError, MemoryLimitError) as error:
        raise PermanentError("The session is too large for such a file.") from error


async def followed(run: JobRun, pieces: AsyncGenerator[bytes, None], percent: int) -> AsyncGenerator[bytes, None]:
    """The same pieces; that the first one is there is progress. Raises LostLeaseError."""
    is_first = True
    async with aclosing(pieces):
        async for piece in pieces:
            if is_first:
                await run.progress(percent)
                is_first = False
            yield piece
