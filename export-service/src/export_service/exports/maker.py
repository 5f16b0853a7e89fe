"""Makes an export: ask for the session, render the file, put it in S3, say so."""

from contextlib import aclosing

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from export_service.events import ExportCompleted
from export_service.exports.plans import Planner
from export_service.exports.repository import ExportRepository
from export_service.exports.service import object_key
from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.storage import FileStorage, StorageError
from intervai_shared.storage_upload import Stored


class ExportMaker:
    """Works in the worker process."""

    def __init__(
        self,
        exports: ExportRepository,
        records: JobRecords,
        planner: Planner,
        storage: FileStorage,
        outbox: Outbox,
    ) -> None:
        self._exports = exports
        self._records = records
        self._planner = planner
        self._storage = storage
        self._outbox = outbox

    async def run(self, export_id: ObjectId) -> None:
        """Makes an export. Idempotent: the record's lease lets one run at a time in, and the file's key is that of
        the export and its content, so that a second run overwrites the same object."""
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
        plan = await self._planner.plan(run.document)
        await run.progress(20)
        export = await self._renamed(run, plan.content_hash)
        try:
            async with aclosing(plan.pieces(run)) as pieces:
                stored = await self._storage.put_stream(object_key(export), pieces, plan.media_type, plan.name)
            await self._finish(run, plan.name, stored)
        except BaseException:
            await self._remove_if_unwanted(export)
            raise
        return {"sizeBytes": stored.size_bytes}

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

    async def _renamed(self, run: JobRun, digest: str) -> Document:
        """The export by what its file will hold, if the session has changed since it was asked for. Written before
        there is such a file: so whoever reads the record finds the file, and one of an attempt before is the sweep's at
        the latest. Raises LostLeaseError."""
        export = run.document
        if export.get("contentHash") == digest:
            return export
        await self._exports.release(export["user"], run.id)
        try:
            await self._records.write(run, {"contentHash": digest, "dedupe": digest})
        except DuplicateKeyError:  # another export stands for this content already
            await self._records.write(run, {"contentHash": digest})
        if run.attempt > 1:
            await self._storage.delete(object_key(export))
        return {**export, "contentHash": digest}

    async def _finish(self, run: JobRun, name: str, stored: Stored) -> None:
        async def effect(transaction: Session) -> None:
            size = stored.size_bytes
            await run.succeed(transaction, fileName=name, sizeBytes=size, sha256=stored.sha256)
            completed = ExportCompleted(user=run.document["user"], format=run.document["format"], size_bytes=size)
            await self._outbox.add_event(transaction, run.id, completed)

        await self._outbox.transaction(effect)
