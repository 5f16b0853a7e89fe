"""Makes an export: ask for the session, render the file, put it in S3, say so."""

from bson import ObjectId

from export_service.exports.render_pool import RenderPool
from export_service.exports.service import object_key
from export_service.exports.sessions import SessionSource
from export_service.renderers import RENDERERS
from export_service.renderers.content import content_of
from intervai_shared.errors import NotFoundError
from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.storage import FileStorage


class ExportMaker:
    """Works in the worker process."""

    def __init__(
        self, records: JobRecords, sessions: SessionSource, pool: RenderPool, storage: FileStorage, outbox: Outbox
    ) -> None:
        self._records = records
        self._sessions = sessions
        self._pool = pool
        self._storage = storage
        self._outbox = outbox

    async def run(self, export_id: ObjectId) -> None:
        """Makes an export. Idempotent: the record's lease lets one run at a time in, and the file's key is the
        export's id, so that a second run overwrites the same object."""
        await self._records.run(export_id, self._make)

    async def _make(self, run: JobRun) -> Document:
        export = run.document
        try:
            session = await self._sessions.get(export["user"], str(export["session"]))
        except NotFoundError as error:
            raise PermanentError("The session has been deleted.") from error
        await run.progress(20)
        renderer = RENDERERS[export["format"]]
        content = content_of(session, export["options"])
        file = await self._pool.render(export["format"], content)
        await run.progress(70)
        name = f"{content.file_stem}.{renderer.extension}"
        await self._storage.put(object_key(export), file, renderer.media_type, name)
        await self._finish(run, name, len(file))
        return {"sizeBytes": len(file)}

    async def _finish(self, run: JobRun, name: str, size: int) -> None:
        async def effect(transaction: Session) -> None:
            await run.succeed(transaction, fileName=name, sizeBytes=size)
            data = {"user": str(run.document["user"]), "format": run.document["format"], "sizeBytes": size}
            await self._outbox.add_event(transaction, "export.completed", run.id, data)

        await self._outbox.transaction(effect)
