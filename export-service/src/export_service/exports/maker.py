"""Makes an export: ask for the session, render the file, put it in S3, say so."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from bson import ObjectId

from export_service.events import ExportCompleted
from export_service.exports.render_pool import RenderPool
from export_service.exports.repository import ExportRepository
from export_service.exports.service import object_key
from export_service.exports.sessions import SessionSource
from export_service.renderers import RENDERERS
from export_service.renderers.content import content_of
from intervai_shared.errors import NotFoundError
from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.storage import FileStorage, StorageError


class ExportMaker:
    """Works in the worker process."""

    def __init__(
        self,
        exports: ExportRepository,
        records: JobRecords,
        sessions: SessionSource,
        pool: RenderPool,
        storage: FileStorage,
        outbox: Outbox,
    ) -> None:
        self._exports = exports
        self._records = records
        self._sessions = sessions
        self._pool = pool
        self._storage = storage
        self._outbox = outbox

    async def run(self, export_id: ObjectId) -> None:
        """Makes an export. Idempotent: the record's lease lets one run at a time in, and the file's key is the
        export's id, so that a second run overwrites the same object."""
        await self._records.run(export_id, self._make_or_clear)

    async def _make_or_clear(self, run: JobRun) -> Document:
        """An export that can never succeed leaves no file of an attempt that died after it had stored one."""
        try:
            return await self._make(run)
        except PermanentError:
            if run.attempt > 1:
                await self._storage.delete(object_key(run.document))
            raise

    async def _make(self, run: JobRun) -> Document:
        export = run.document
        try:
            session = await self._sessions.get(export["user"], str(export["session"]))
        except NotFoundError as error:
            raise PermanentError("The session has been deleted.") from error
        await run.progress(20)
        renderer = RENDERERS[export["format"]]
        content = content_of(session, export["options"])
        try:
            file = await self._pool.render(export["format"], content)
        except TimeoutError as error:
            raise PermanentError("The session is too large for such a file.") from error
        await run.progress(70)
        name = f"{content.file_stem}.{renderer.extension}"
        try:
            await _to_its_end(self._storage.put(object_key(export), file, renderer.media_type, name))
            await self._finish(run, name, len(file))
        except BaseException:
            await self._remove_if_unwanted(export)
            raise
        return {"sizeBytes": len(file)}

    async def _remove_if_unwanted(self, export: Document) -> None:
        """Who deleted the export while its file was on the way to S3 found no file to remove. As long as the export is
        to be made, by this worker or another, the file stays: the next run overwrites it."""
        current = await self._exports.get(export["user"], export["_id"])
        if current is not None and current["status"] != "cancelled":
            return
        try:
            await self._storage.delete(object_key(export))
        except StorageError as error:
            log.error("an unwanted file stays", key=object_key(export), error=repr(error))

    async def _finish(self, run: JobRun, name: str, size: int) -> None:
        async def effect(transaction: Session) -> None:
            await run.succeed(transaction, fileName=name, sizeBytes=size)
            completed = ExportCompleted(user=run.document["user"], format=run.document["format"], size_bytes=size)
            await self._outbox.add_event(transaction, run.id, completed)

        await self._outbox.transaction(effect)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Waits for what goes on in a thread, whether we are cancelled or not: when we go on, it is over."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
