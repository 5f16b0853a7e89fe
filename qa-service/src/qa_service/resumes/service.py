"""The rules of résumés towards their owner.

A client uploads straight to S3, with a form that S3 takes for one key, one type and one size. A job then reads that
very version of the file, in a process of its own, keeps its text and removes the file.
"""

import secrets
from datetime import timedelta

from bson import ObjectId

from intervai_shared.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from intervai_shared.storage import FileHead, FileStorage, StorageError
from qa_service.jobs.starter import JobStarter
from qa_service.resumes.files import key_of
from qa_service.resumes.repository import ResumeRepository
from qa_service.resumes.schemas import ResumeUpload
from qa_service.settings import QaSettings

KIND = "resume"
#: Of a person.
MOST_RESUMES = 20
#: What has been uploaded can be read for so long.
READ_WITHIN = timedelta(minutes=30)
#: When the sweep looks for a file: the form works no longer, and nobody is about to read it.
SWEPT_AFTER = timedelta(hours=1)
#: A job that waits for S3 or a worker is given up after a day.
READING_SWEPT_AFTER = timedelta(days=2)
NOT_FOUND = "There is no such résumé."


class ResumeService:
    """Résumés of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        settings: QaSettings,
        resumes: ResumeRepository,
        storage: FileStorage,
        jobs: JobStarter,
    ) -> None:
        self._limits = resources.limits
        self._outbox = resources.outbox
        self._settings = settings
        self._resumes = resumes
        self._storage = storage
        self._jobs = jobs

    async def start_upload(self, user: ObjectId, wanted: ResumeUpload) -> Document:
        """A form to upload a file with.

        Raises:
            InvalidError: the file is larger than a résumé may be.
            ConflictError: the person has too many.
            TooManyRequestsError: the person's uploads of this hour are used up.
        """
        if wanted.size_bytes > self._settings.resume_max_bytes:
            message = f"may be at most {self._settings.resume_max_bytes}"
            raise InvalidError([{"field": "sizeBytes", "message": message}])
        await self._limits.hit("resumes", self._settings.rate_limit_resumes, str(user))
        if await self._resumes.count(user) >= MOST_RESUMES:
            raise ConflictError(f"You have {MOST_RESUMES} résumés already. Delete one first.")
        now = utc_now()
        times = {"createdAt": now, "updatedAt": now, "sweepAt": now + SWEPT_AFTER}
        file = {"name": secrets.token_hex(16), **wanted.model_dump(by_alias=True)}
        resume = {"_id": ObjectId(), **file, "state": "uploading", **times}

        async def store(transaction: Session) -> Document:
            await self._resumes.insert(user, resume, transaction)
            return resume

        return await self._form(await self._outbox.transaction(store))

    async def start_reading(self, user: ObjectId, upload_id: ObjectId) -> Document:
        """Queues the job that reads an upload; asked again, the same job.

        Raises:
            NotFoundError: the user has no such upload, or it is too old.
            ConflictError: nothing has been uploaded yet.
            InvalidError: what was uploaded is not what was announced.
            UnavailableError: S3 cannot be reached now, or too many jobs wait.
            TooManyRequestsError: the person's readings of this hour are used up.
        """
        upload = await self._resumes.get(user, upload_id)
        if upload is None or not _can_be_read(upload):
            raise NotFoundError("There is no such upload, or it is too old.")
        if "job" in upload:
            return _started(upload)
        head = await self._head(upload)
        await self._jobs.check(user, KIND, self._settings.rate_limit_resumes)

        async def store(transaction: Session) -> Document:
            # In the queue that lets others go first: a file that somebody made to be slow holds up no generation.
            file = {"resume": upload_id, "etag": head.etag}
            job = await self._jobs.add(transaction, user, KIND, bulk=True, estimate_tokens=0, **file)
            fields = {"job": job["_id"], "sweepAt": utc_now() + READING_SWEPT_AFTER}
            if not await self._resumes.move(user, upload_id, ("uploading", "reading"), fields, transaction):
                raise ConflictError("This upload is being read already.")
            return _started({**upload, **fields})

        return await self._outbox.transaction(store)

    async def get(self, user: ObjectId, resume_id: ObjectId) -> Document:
        """One that has been read. Raises NotFoundError."""
        found = await self._resumes.get(user, resume_id)
        if found is None or found["state"] != "ready":
            raise NotFoundError(NOT_FOUND)
        return found

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of those that have been read, the newest first."""
        found = await self._resumes.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)

    async def delete(self, user: ObjectId, resume_id: ObjectId) -> None:
        """Forgets a résumé; sessions that were started with it keep its text, as they keep their job description.
        Raises NotFoundError."""
        await self.get(user, resume_id)
        if not await self._resumes.discard(user, resume_id, utc_now()):
            raise NotFoundError(NOT_FOUND)

    async def _form(self, upload: Document) -> Document:
        await self._storage.load()
        seconds = self._settings.resume_upload_seconds
        form = self._storage.signed_upload(key_of(upload), upload["contentType"], upload["sizeBytes"], seconds)
        return {"uploadId": upload["_id"], "url": form.url, "fields": form.fields, "expiresAt": form.expires_at}

    async def _head(self, upload: Document) -> FileHead:
        try:
            head = await self._storage.head(key_of(upload))
        except StorageError as error:
            log.warning("a résumé cannot be looked at", error=repr(error))
            raise UnavailableError("Résumés cannot be read now.") from error
        if head is None:
            raise ConflictError("Nothing has been uploaded yet.")
        if head.size_bytes > upload["sizeBytes"] or head.media_type != upload["contentType"]:
            raise InvalidError([{"field": "uploadId", "message": "what was uploaded is not what was announced"}])
        return head


def _can_be_read(upload: Document) -> bool:
    is_young = bool(upload["createdAt"] > utc_now() - READ_WITHIN)
    return upload["state"] in {"reading", "ready"} or (upload["state"] == "uploading" and is_young)


def _started(upload: Document) -> Document:
    return {"jobId": upload["job"], "resumeId": upload["_id"]}
