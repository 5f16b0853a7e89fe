"""The rules of exports."""

from bson import ObjectId

from export_service.exports.repository import ExportRepository
from export_service.exports.schemas import ExportRequest
from export_service.exports.sessions import SessionSource
from export_service.settings import ExportSettings
from intervai_shared.errors import ConflictError, NotFoundError, UnavailableError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from intervai_shared.storage import FileStorage, StorageError

ACTOR = "make_export"
QUEUE = "exports"
KEY_PREFIX = "exports/"


class ExportService:
    """Starts and shows exports; the worker's `ExportMaker` makes them."""

    def __init__(
        self,
        settings: ExportSettings,
        resources: Resources,
        exports: ExportRepository,
        records: JobRecords,
        storage: FileStorage,
    ) -> None:
        self._sessions = SessionSource(resources.services)
        self._settings = settings
        self._resources = resources
        self._exports = exports
        self._records = records
        self._storage = storage

    async def start(self, user: ObjectId, wanted: ExportRequest) -> Document:
        """Queues an export.

        Raises:
            NotFoundError: the user has no such session.
            TooManyRequestsError: the user's exports of these minutes are used up.
            UnavailableError: qa-service cannot be asked now, or too many exports wait already.
        """
        await self._sessions.get(user, wanted.session_id)
        await self._resources.backpressure.check(QUEUE, self._settings.queue_limit_exports)
        await self._resources.limits.hit("exports", self._settings.rate_limit_exports, str(user))
        options = wanted.options.model_dump(by_alias=True)
        export = JobRecords.new(
            "export", user, session=ObjectId(wanted.session_id), format=wanted.format, options=options
        )

        async def store(transaction: Session) -> Document:
            await self._exports.insert(user, export, transaction)
            await self._resources.outbox.add_job(transaction, ACTOR, QUEUE, str(export["_id"]))
            return export

        return await self._resources.outbox.transaction(store)

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document:
        """An export, with its signed URL when it is ready. Raises NotFoundError."""
        if found := await self._exports.get(user, export_id):
            return self._with_url(found)
        raise NotFoundError("There is no such export.")

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the user's exports, the newest first."""
        found = await self._exports.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        page = NEWEST_FIRST.page(found, limit)
        return {**page, "items": [self._with_url(export) for export in page["items"]]}

    async def download_url(self, user: ObjectId, export_id: ObjectId) -> str:
        """A fresh signed URL. Raises NotFoundError, and ConflictError while the export is not ready."""
        export = await self.get(user, export_id)
        if "downloadUrl" not in export:
            raise ConflictError(f"The export is not ready: {export['status']}.")
        return str(export["downloadUrl"])

    async def delete(self, user: ObjectId, export_id: ObjectId) -> None:
        """Removes an export with its file; one that is still being made is cancelled.

        Raises:
            NotFoundError: the user has no such export.
            UnavailableError: S3 cannot be reached now; the export stays, to be deleted again.
        """
        await self._records.cancel({"user": user}, export_id)
        export = await self.get(user, export_id)
        try:
            await self._storage.delete(object_key(export))
        except StorageError as error:
            raise UnavailableError("The file cannot be removed now.") from error
        await self._exports.delete(user, export_id)

    def _with_url(self, export: Document) -> Document:
        if export["status"] != "succeeded":
            return export
        url, expires_at = self._storage.signed_url(object_key(export), self._settings.export_url_ttl_seconds)
        return {**export, "downloadUrl": url, "expiresAt": expires_at}


def object_key(export: Document) -> str:
    """Where the file lies; names nobody."""
    return f"{KEY_PREFIX}{export['_id']}.{export['format']}"
