"""What is done for generations by the clock."""

from typing import TYPE_CHECKING

from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.generation.store import tell
from qa_service.jobs.repository import JobRepository
from qa_service.sessions.repository import SessionRepository

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


class LateTeller:
    """Tells what generations have made that were cancelled or have failed: they keep it, and nobody else tells it."""

    def __init__(self, jobs: JobRepository, sessions: SessionRepository, outbox: Outbox) -> None:
        self._jobs = jobs
        self._sessions = sessions
        self._outbox = outbox

    async def run(self) -> None:
        """Idempotent: the event and the mark that it is told are written together."""
        while untold := await self._jobs.untold():
            for job in untold:
                await self._tell(job)
            log.info("questions of ended generations told", count=len(untold))

    async def _tell(self, job: Document) -> None:
        async def effect(transaction: Session) -> None:
            if not await self._jobs.mark_told(job["user"], job, transaction):
                return
            made = job["made"][job.get("told", 0) :]
            if await self._sessions.get(job["user"], job["session"]):
                await tell(self._outbox, job, made, transaction)

        await self._outbox.transaction(effect)


async def tell_generations(container: "QaWorker") -> None:
    """Tells what cancelled and failed generations have made. Idempotent, see `LateTeller.run`."""
    await container.late_teller.run()
