"""Removes files that nobody can reach: of an export whose maker died just when the person deleted it, say."""

from datetime import timedelta
from pathlib import PurePosixPath

from bson import ObjectId
from prometheus_client import Counter

from export_service.exports.repository import ExportRepository
from export_service.exports.service import KEY_PREFIX, object_key
from intervai_shared.logs import log
from intervai_shared.models import utc_now
from intervai_shared.storage import FileStorage, StoredFile

#: Far longer than from the first byte of a file to the end of its export.
YOUNG = timedelta(hours=1)
SWEPT = Counter("intervai_exports_orphans_removed_total", "Files in S3 that belonged to no export")


class FileSweeper:
    """Compares the bucket with the exports."""

    def __init__(self, exports: ExportRepository, storage: FileStorage) -> None:
        self._exports = exports
        self._storage = storage

    async def run(self) -> None:
        """One look through the bucket. Idempotent: what is gone is gone. Raises StorageError."""
        async for files in self._storage.files(KEY_PREFIX):
            old = [file for file in files if file.changed_at < utc_now() - YOUNG]
            wanted = await self._wanted(old)
            for file in old:
                if file.key not in wanted:
                    await self._storage.delete(file.key)
                    SWEPT.inc()
                    log.warning("a file without an export was removed", key=file.key)

    async def _wanted(self, files: list[StoredFile]) -> set[str]:
        names = [PurePosixPath(file.key).stem for file in files]
        ids = [ObjectId(name) for name in names if ObjectId.is_valid(name)]
        return {object_key(export) for export in await self._exports.with_files(ids)}
