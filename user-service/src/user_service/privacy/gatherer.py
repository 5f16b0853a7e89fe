"""Makes the file with all data of a person: asks every service, writes one document, puts it in S3."""

from bson import ObjectId

from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.storage import FileStorage, StorageError
from user_service.events import ERASING_SERVICES
from user_service.privacy.data_writer import DataWriter
from user_service.privacy.repository import DataFileRepository

MEDIA_TYPE, FILE_NAME = "application/json", "intervai-data.json"


class DataGatherer:
    """Works in the worker process."""

    def __init__(
        self,
        files: DataFileRepository,
        records: JobRecords,
        services: ServiceClient,
        storage: FileStorage,
        outbox: Outbox,
    ) -> None:
        self._files = files
        self._records = records
        self._services = services
        self._storage = storage
        self._outbox = outbox

    async def run(self, file_id: ObjectId) -> None:
        """Makes a file. Idempotent: the record's lease lets one run at a time in, and the file's key is in the record,
        so that a second run overwrites the same object."""
        await self._records.run(file_id, self._make)

    async def _make(self, run: JobRun) -> Document:
        user = run.document["user"]
        writer = DataWriter(str(user))
        for number, service in enumerate(ERASING_SERVICES):
            await run.progress(10 + 80 * number // len(ERASING_SERVICES))
            await writer.begin(service)
            await self._gather(service, user, writer)
            await writer.end()
        content = await writer.close()
        try:
            await self._storage.put(run.document["key"], content, MEDIA_TYPE, FILE_NAME, encoding="gzip")
            await self._finish(run, len(content))
        except BaseException:
            await self._remove_if_unwanted(run.document)
            raise
        return {"sizeBytes": len(content)}

    async def _gather(self, service: str, user: ObjectId, writer: DataWriter) -> None:
        cursor: dict[str, str] = {}
        while True:
            page = await self._services.get(service, f"/internal/users/{user}/data", **cursor)
            await writer.add(page["items"])
            if page["nextCursor"] is None:
                return
            cursor = {"cursor": page["nextCursor"]}

    async def _finish(self, run: JobRun, size: int) -> None:
        async def effect(session: Session) -> None:
            await run.succeed(session, sizeBytes=size)

        await self._outbox.transaction(effect)

    async def _remove_if_unwanted(self, file: Document) -> None:
        """Who erased the person while the file was on its way to S3 found no file to remove."""
        if await self._files.is_wanted(file["user"], file["_id"]):
            return
        try:
            await self._storage.delete(file["key"])
        except StorageError as error:
            log.error("an unwanted file stays until the sweep", key=file["key"], error=repr(error))
