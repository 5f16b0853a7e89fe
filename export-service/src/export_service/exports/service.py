"""The rules of exports."""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from export_service.exports.hashing import content_hash
from export_service.exports.lifetime import is_expired, is_live
from export_service.exports.repository import ExportRepository
from export_service.exports.schemas import ExportRequest
from export_service.exports.sessions import SessionSource
from export_service.exports.single_flight import SingleFlight
from export_service.renderers.content import content_of
from export_service.settings import ExportSettings
from intervai_shared.errors import ConflictError, NotFoundError, UnavailableError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document, utc_now
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
        self._lifetime = timedelta(days=settings.export_days)
        self._flights = SingleFlight[Document]()

    async def start(self, user: ObjectId, wanted: ExportRequest) -> Document:
        """An export of the session as it is now: one that there is already, or a new one.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError, TooManyRequestsError, UnavailableError: see `queue`; also when qa-service cannot be asked.
        """
        answer = await self._sessions.get(user, wanted.session_id)
        options = wanted.options.model_dump(by_alias=True)
        digest = content_hash(user, wanted.format, content_of(answer, options))
        about = {"session": ObjectId(wanted.session_id), "format": wanted.format, "options": options}
        return await self.queue(user, digest, about)

    async def queue(self, user: ObjectId, digest: str, about: dict[str, Any]) -> Document:
        """The user's export of this content that is in work or ready, which costs nothing; else a new one with the
        fields `about`, which counts against the limits.

        Raises:
            ConflictError: the user has as many exports as a person may have.
            TooManyRequestsError: the user's exports of these minutes are used up.
            UnavailableError: too many exports wait already.
        """
        return await self._flights.do(digest, lambda: self._queue(user, digest, about))

    async def _queue(self, user: ObjectId, digest: str, about: dict[str, Any]) -> Document:
        known = await self._exports.same(user, digest)
        if known and is_live(known, self._lifetime):
            return known
        await self._resources.backpressure.check(QUEUE, self._settings.queue_limit_exports)
        return await self._store(user, JobRecords.new("export", user, contentHash=digest, dedupe=digest, **about))

    async def _store(self, user: ObjectId, export: Document) -> Document:
        is_counted = False

        async def store(transaction: Session) -> Document:
            nonlocal is_counted
            known = await self._exports.same(user, export["dedupe"], transaction)
            if known and is_live(known, self._lifetime):
                return known
            if known:
                await self._exports.release(user, known["_id"], transaction)
            await self._check_stored(user, transaction)
            await self._exports.insert(user, export, transaction)
            # Here, where of many requests at once for one file only one can be, and once however often it is retried.
            if not is_counted:
                await self._resources.limits.hit("exports", self._settings.rate_limit_exports, str(user))
                is_counted = True
            await self._resources.outbox.add_job(transaction, ACTOR, QUEUE, str(export["_id"]))
            return export

        return await self._resources.outbox.transaction(store)

    async def _check_stored(self, user: ObjectId, transaction: Session) -> None:
        most = self._settings.exports_stored_limit
        if await self._exports.stored(user, utc_now() - self._lifetime, transaction) >= most:
            raise ConflictError(f"You have {most} exports, and a person may have no more. Please delete some first.")

    async def get(self, user: ObjectId, export_id: ObjectId) -> Document:
        """An export, with its signed URL when it is ready. Raises NotFoundError."""
        if found := await self._exports.get(user, export_id):
            return self._shown(found)
        raise NotFoundError("There is no such export.")

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the user's exports, the newest first."""
        found = await self._exports.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        page = NEWEST_FIRST.page(found, limit)
        return {**page, "items": [self._shown(export) for export in page["items"]]}

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
        # From here on nobody is answered with it.
        await self._exports.release(user, export_id)
        try:
            await self._storage.delete(object_key(export))
        except StorageError as error:
            raise UnavailableError("The file cannot be removed now.") from error
        await self._exports.delete(user, export_id)

    def _shown(self, export: Document) -> Document:
        """With its signed URL when it is ready, `expired` when its file has had its time."""
        if export["status"] != "succeeded":
            return export
        if is_expired(export, self._lifetime):
            return {**export, "status": "expired"}
        url, expires_at = self._storage.signed_url(object_key(export), self._settings.export_url_ttl_seconds)
        return {**export, "downloadUrl": url, "expiresAt": expires_at}


def object_key(export: Document) -> str:
    """Where the file lies: under what is in it, then the export's own name, so that nobody removes another's file.
    Names nobody. The end of a file's name is its format; exports from before there was a hash have none."""
    folder = f"{export['contentHash']}/" if "contentHash" in export else ""
    return f"{KEY_PREFIX}{folder}{export['_id']}.{export['format']}"
