"""What qa-service does with résumés by the clock."""

from typing import TYPE_CHECKING

from intervai_shared.logs import log
from intervai_shared.models import utc_now
from intervai_shared.storage import FileStorage
from qa_service.resumes.files import key_of
from qa_service.resumes.repository import ResumeRepository

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


class ResumeSweeper:
    """Removes files that nobody needs: of uploads that nobody had read, and what was uploaded by a form after the file
    had been read and removed."""

    def __init__(self, resumes: ResumeRepository, storage: FileStorage) -> None:
        self._resumes = resumes
        self._storage = storage

    async def run(self) -> None:
        """Idempotent: what is gone is gone. Raises StorageError."""
        while due := await self._resumes.due(utc_now()):
            for resume in due:
                await self._storage.delete(key_of(resume))
                await self._resumes.swept(resume)
            log.info("files of résumés removed", count=len(due))


async def sweep_resumes(container: "QaWorker") -> None:
    """Removes files that nobody needs. Idempotent: what is gone is gone."""
    await container.resumes.run()
