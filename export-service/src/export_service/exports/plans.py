"""What the file of an export is to be: of one session, or a bundle of several."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from export_service.exports.archive import Archive
from export_service.exports.hashing import bundle_hash, content_hash
from export_service.exports.pieces import followed, rendered
from export_service.exports.render_pool import RenderPool
from export_service.exports.sessions import SessionSource
from export_service.renderers import RENDERERS
from export_service.renderers.content import Content, content_of
from intervai_shared.errors import NotFoundError
from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.models import Document

BUNDLE_TYPE = "application/zip"
#: Formats that compress their content themselves.
_PACKED = ("pdf", "docx", "apkg")
_READ, _WRITTEN = 20, 90


class SessionChangedError(Exception):
    """A session was changed while its bundle was made: the next attempt makes it as it is then."""


@dataclass(frozen=True)
class Plan:
    """A file to be made. `pieces` makes it, once; they are to be closed by who may stop early."""

    name: str
    media_type: str
    content_hash: str
    pieces: Callable[[JobRun], AsyncGenerator[bytes, None]]


class Planner:
    """Reads the sessions of exports, one at a time."""

    def __init__(self, sessions: SessionSource, pool: RenderPool) -> None:
        self._sessions = sessions
        self._pool = pool

    async def plan(self, export: Document) -> Plan:
        """What is to be made now.

        Raises:
            PermanentError: a session of it has been deleted.
            UnavailableError: qa-service cannot be asked.
        """
        if "sessions" in export:
            return await self._of_bundle(export)
        content = await self._content(export, str(export["session"]), "The session has been deleted.")
        renderer, digest = RENDERERS[export["format"]], content_hash(export["user"], export["format"], content)

        def pieces(run: JobRun) -> AsyncGenerator[bytes, None]:
            return followed(run, rendered(self._pool, export["format"], content), 70)

        return Plan(f"{content.file_stem}.{renderer.extension}", renderer.media_type, digest, pieces)

    async def _of_bundle(self, export: Document) -> Plan:
        # All are read twice, since the name of the object says what is in it; and two are never here at a time.
        digests = [await self._digest(export, str(session)) for session in export["sessions"]]

        def pieces(run: JobRun) -> AsyncGenerator[bytes, None]:
            return self._bundled(run, digests)

        return Plan(f"{len(digests)}-interviews.zip", BUNDLE_TYPE, bundle_hash(digests), pieces)

    async def _digest(self, export: Document, session_id: str) -> str:
        return content_hash(export["user"], export["of"], await self._member(export, session_id))

    async def _bundled(self, run: JobRun, digests: list[str]) -> AsyncGenerator[bytes, None]:
        archive = Archive()
        for number, digest in enumerate(digests, 1):
            async with aclosing(self._added(archive, run.document, number, digest)) as pieces:
                async for piece in pieces:
                    yield piece
            await run.progress(_READ + (_WRITTEN - _READ) * number // len(digests))
        yield archive.end()

    async def _added(self, archive: Archive, export: Document, number: int, digest: str) -> AsyncGenerator[bytes, None]:
        kind, session_id = export["of"], str(export["sessions"][number - 1])
        content = await self._member(export, session_id)
        if content_hash(export["user"], kind, content) != digest:
            raise SessionChangedError(session_id)
        name = f"{number:02}-{content.file_stem}.{RENDERERS[kind].extension}"
        async with (
            aclosing(rendered(self._pool, kind, content)) as file,
            aclosing(archive.add(name, file, is_packed=kind in _PACKED)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def _member(self, export: Document, session_id: str) -> Content:
        return await self._content(export, session_id, "A session of the bundle has been deleted.")

    async def _content(self, export: Document, session_id: str, when_gone: str) -> Content:
        try:
            session = await self._sessions.get(export["user"], session_id)
        except NotFoundError as error:
            raise PermanentError(when_gone) from error
        return content_of(session, export["options"])
