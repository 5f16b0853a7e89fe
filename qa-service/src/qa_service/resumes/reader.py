"""Reads an uploaded résumé: fetch that version of the file, extract its text, keep the text, remove the file."""

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.storage import FileChangedError, FileStorage, StorageError
from qa_service.resumes.extraction import Extractor
from qa_service.resumes.files import key_of
from qa_service.resumes.limits import SENTENCES, UnreadableError
from qa_service.resumes.repository import ResumeRepository
from qa_service.resumes.service import SWEPT_AFTER

GONE = "The résumé has been deleted."


class ResumeReader:
    """Works in the worker process."""

    def __init__(self, resumes: ResumeRepository, storage: FileStorage, outbox: Outbox, extractor: Extractor) -> None:
        self._resumes = resumes
        self._storage = storage
        self._outbox = outbox
        self._extractor = extractor

    async def work(self, run: JobRun) -> Document:
        """One attempt. Idempotent: the text and the job's end are committed together, and the file is read by its
        version."""
        user, resume_id = run.document["user"], run.document["resume"]
        resume = await self._resumes.get(user, resume_id)
        if resume is None or resume["state"] != "reading":
            raise PermanentError(GONE)
        await run.progress(10)
        try:
            text = await self._text(resume, run.document["etag"])
            await run.progress(80)
            await self._keep(run, text)
        except PermanentError:
            await self._resumes.discard(user, resume_id, utc_now() + SWEPT_AFTER)
            await self._remove(resume)
            raise
        await self._remove(resume)
        return {"result": {"resumeId": str(resume_id), "characters": len(text)}}

    async def _text(self, resume: Document, etag: str) -> str:
        async def fetch() -> bytes:
            return await self._storage.first_bytes(key_of(resume), resume["sizeBytes"], etag)

        try:
            return await self._extractor.text_of(resume["contentType"], fetch)
        except FileChangedError as error:
            raise PermanentError("The file was replaced before it was read. Please upload it again.") from error
        except UnreadableError as error:
            raise PermanentError(SENTENCES[error.reason]) from error

    async def _keep(self, run: JobRun, text: str) -> None:
        user, resume_id = run.document["user"], run.document["resume"]
        fields = {"text": text, "characters": len(text), "sweepAt": utc_now() + SWEPT_AFTER}

        async def effect(transaction: Session) -> None:
            if not await self._resumes.move(user, resume_id, ("reading", "ready"), fields, transaction):
                raise PermanentError(GONE)
            result = {"resumeId": str(resume_id), "characters": len(text)}
            await run.succeed(transaction, result=result)

        await self._outbox.transaction(effect)

    async def _remove(self, resume: Document) -> None:
        """At once, if S3 can be reached; else it is left to the sweep, which looks again in any case: the form works
        on for some minutes."""
        try:
            await self._storage.delete(key_of(resume))
        except StorageError as error:
            log.warning("the file of a résumé stays for now", key=key_of(resume), error=repr(error))
