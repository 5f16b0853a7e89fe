"""How a mock interview ends: once, with a job that writes its report."""

from datetime import datetime

from bson import ObjectId

from intervai_shared.errors import TooManyRequestsError, UnavailableError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session
from qa_service.events import InterviewCompleted
from qa_service.jobs.starter import JobStarter
from qa_service.mock_interviews import states
from qa_service.mock_interviews.report import report_of
from qa_service.mock_interviews.repository import InterviewRepository
from qa_service.practice.repository import AttemptRepository

KIND = "interview_report"
#: Tokens that the advice takes, about.
TOKENS = 800
#: Interviews that one run of the sweep ends.
MOST_AT_ONCE = 500


class Ending:
    """Ends interviews; also those that nobody looks at any more."""

    def __init__(self, db: Database, outbox: Outbox, jobs: JobStarter) -> None:
        self._interviews = InterviewRepository(db)
        self._attempts = AttemptRepository(db)
        self._outbox = outbox
        self._jobs = jobs

    async def end(self, user: ObjectId, interview: Document, ended: str, now: datetime) -> bool:
        """Ends it, unless it has changed since it was seen: then False."""

        async def store(transaction: Session) -> bool:
            fields = await self.fields(transaction, user, interview, ended, now)
            if await self._interviews.save(user, interview, fields, transaction):
                return True
            raise _ChangedError

        try:
            return await self._outbox.transaction(store)
        except _ChangedError:
            return False

    async def fields(
        self, transaction: Session, user: ObjectId, interview: Document, ended: str, now: datetime
    ) -> Document:
        """What ends it, with the job of its report written in the caller's transaction. When no job may be started now,
        the report stays the computed one, and the end is told at once."""
        ended_by = states.ending(interview, ended, now)
        about = {"session": interview["session"], "interview": interview["_id"]}
        try:
            job = await self._jobs.add(transaction, user, KIND, estimate_tokens=TOKENS, **about)
        except (TooManyRequestsError, UnavailableError) as error:
            log.info("a mock interview gets no advice", interview=str(interview["_id"]), error=repr(error))
            report = report_of({**interview, **ended_by}, await self._attempts.of_interview(user, interview["_id"]))
            await self._outbox.add_event(transaction, interview["_id"], completed(user, interview, report))
            return ended_by
        return {**ended_by, "reportJob": job["_id"]}

    async def sweep(self, now: datetime | None = None) -> int:
        """Ends those whose time is up; how many. Done again it finds none."""
        count, now = 0, now or utc_now()
        for interview in await self._interviews.overdue(now, MOST_AT_ONCE):
            if states.is_over(interview, now):
                count += await self.end(interview["user"], interview, "timeUp", now)
        return count


def completed(user: ObjectId, interview: Document, report: Document) -> InterviewCompleted:
    """The event of its end."""
    told = {"score": report["score"], "answered": report["answered"]}
    return InterviewCompleted(user=user, session=interview["session"], **told)


class _ChangedError(Exception):
    """The interview is no longer as it was seen."""
