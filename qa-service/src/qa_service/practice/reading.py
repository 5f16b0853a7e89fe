"""Attempts as they stand: the record of a job that scores is the truth of whether a score will come."""

from collections.abc import Sequence

from bson import ObjectId

from intervai_shared.models import Document
from qa_service.practice.repository import AttemptRepository


class AttemptReader:
    """Reads attempts of one owner at a time. One that waits for a job that failed or was cancelled is not scored, and
    says why; the job is asked only about those that wait."""

    def __init__(self, attempts: AttemptRepository) -> None:
        self._attempts = attempts

    async def of_interview(self, user: ObjectId, interview_id: ObjectId) -> list[Document]:
        """The attempts of a mock interview."""
        return await self.settled(user, await self._attempts.of_interview(user, interview_id))

    async def settled(self, user: ObjectId, attempts: Sequence[Document]) -> list[Document]:
        """These attempts."""
        waiting = [each["job"] for each in attempts if each["status"] == "queued"]
        jobs = {job["_id"]: job for job in await self._attempts.jobs(user, waiting)} if waiting else {}
        return [_with_job(attempt, jobs.get(attempt["job"])) for attempt in attempts]


def _with_job(attempt: Document, job: Document | None) -> Document:
    if job is None or job["status"] not in {"failed", "cancelled"}:
        return attempt
    reason = job["error"] or "The job that scores it was cancelled."
    return {**attempt, "status": "notScored", "reason": reason}
