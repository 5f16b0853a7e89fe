"""Removes files that nobody can reach: of an export whose maker died just when the person deleted it, say, and those
that have been there for as long as files are kept."""

from datetime import timedelta
from pathlib import PurePosixPath

from bson import ObjectId
from prometheus_client import Counter

from export_service.exports.lifetime import is_expired
from export_service.exports.repository import ExportRepository
from export_service.exports.service import KEY_PREFIX, object_key
from intervai_shared.logs import log
from intervai_shared.models import utc_now
from intervai_shared.storage import FileStorage, StorageError, StoredFile

#: Far longer than from the first byte of a file to the end of its export.
YOUNG = timedelta(hours=1)
SWEPT = Counter("intervai_exports_orphans_removed_total", "Files in S3 that belonged to no export")
EXPIRED = Counter("intervai_exports_expired_removed_total", "Files in S3 that were kept for as long as files are")


class FileSweeper:
    """Compares the bucket with the exports. `lifetime`: how long the file of an export is kept."""

    def __init__(self, exports: ExportRepository, storage: FileStorage, lifetime: timedelta) -> None:
        self._exports = exports
        self._storage = storage
        self._lifetime = lifetime

    async def have_bucket_expire(self) -> None:
        """The bucket itself removes what is old, also while no worker runs, if it keeps such rules. Written again and
        again, since somebody may have made the bucket anew."""
        try:
            await self._storage.expire_after(KEY_PREFIX, self._lifetime.days)
        except StorageError as error:
            log.warning("the bucket has no rule of how long files stay", error=str(error))

    async def run(self) -> None:
        """One look through the bucket. Idempotent: what is gone is gone. Raises StorageError."""
        async for files in self._storage.files(KEY_PREFIX):
            old = [file for file in files if file.changed_at < utc_now() - YOUNG]
            owned = await self._owned(old)
            for file in old:
                if file.key not in owned:
                    await self._storage.delete(file.key)
                    SWEPT.inc()
                    log.warning("a file without an export was removed", key=file.key)
                elif owned[file.key]:
                    await self._storage.delete(file.key)
                    EXPIRED.inc()

    async def _owned(self, files: list[StoredFile]) -> dict[str, bool]:
        """The keys of files that belong to exports, and whether they have expired."""
        names = [PurePosixPath(file.key).stem for file in files]
        ids = [ObjectId(name) for name in names if ObjectId.is_valid(name)]
        exports = await self._exports.with_files(ids)
        return {object_key(export): is_expired(export, self._lifetime) for export in exports}
