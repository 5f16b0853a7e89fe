"""The rules of files with all data of a person: ask for one, see how far it is, sweep up old ones."""

import secrets
from datetime import timedelta

from bson import ObjectId

from intervai_shared.errors import ConflictError
from intervai_shared.jobs import JobRecords
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from intervai_shared.storage import FileStorage
from user_service.privacy.repository import DataFileRepository, ErasureRepository
from user_service.settings import UserSettings

ACTOR = "make_data_file"
QUEUE = "data-files"
RECORDS = "data_files"
KEY_PREFIX = "personal-data/"
#: Far longer than from the first byte of a file to the end of its job.
YOUNG = timedelta(hours=1)
BATCH = 100


class DataFileService:
    """Starts and shows files; the worker's `DataGatherer` makes them."""

    def __init__(
        self,
        settings: UserSettings,
        resources: Resources,
        files: DataFileRepository,
        erasures: ErasureRepository,
        storage: FileStorage,
    ) -> None:
        self._settings = settings
        self._resources = resources
        self._files = files
        self._erasures = erasures
        self._storage = storage
        self._kept = timedelta(days=settings.data_file_days)

    async def get(self, user: ObjectId) -> Document:
        """The person's newest file, with its signed URL when it is ready; one is begun if there is none.

        Raises:
            TooManyRequestsError: there is none, and today's are used up.
            ConflictError: the person is being erased.
        """
        newest = await self._files.newest(user)
        if newest is None or newest["createdAt"] < utc_now() - self._kept:
            return await self.start(user)
        return await self._with_url(newest)

    async def start(self, user: ObjectId) -> Document:
        """Begins a new file; one that is being made is answered in its place. Raises as `get` does."""
        newest = await self._files.newest(user)
        if newest and newest["status"] in {"queued", "running"}:
            return newest
        await self._resources.limits.hit("data-files", self._settings.rate_limit_data_files, str(user))
        file = JobRecords.new("data-file", user, key=f"{KEY_PREFIX}{secrets.token_urlsafe(24)}.json", sizeBytes=None)

        async def store(session: Session) -> Document:
            if await self._erasures.of_user(user, session):
                raise ConflictError("The account is being erased.")
            await self._files.insert(user, file, session)
            await self._resources.outbox.add_job(session, ACTOR, QUEUE, str(file["_id"]))
            return file

        return await self._resources.outbox.transaction(store)

    async def sweep(self) -> None:
        """Removes files that are old, and those that no record names. Idempotent: what is gone is gone."""
        while old := await self._files.older_than(utc_now() - self._kept, BATCH):
            for file in old:
                await self._storage.delete(file["key"])
                await self._files.delete(file["user"], file["_id"])
        async for stored in self._storage.files(KEY_PREFIX):
            keys = [file.key for file in stored if file.changed_at < utc_now() - YOUNG]
            known = await self._files.known_keys(keys)
            for key in keys:
                if key not in known:
                    await self._storage.delete(key)
                    log.warning("a data file without a record was removed", key=key)

    async def _with_url(self, file: Document) -> Document:
        if file["status"] != "succeeded":
            return file
        await self._storage.load()
        url, expires_at = self._storage.signed_url(file["key"], self._settings.data_file_url_seconds)
        return {**file, "downloadUrl": url, "expiresAt": expires_at}
