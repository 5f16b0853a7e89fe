"""Doing jobs: what each kind of job is done by."""

from collections.abc import Awaitable, Callable, Mapping

from bson import ObjectId

from intervai_shared.jobs import JobRecords, JobRun, PermanentError
from intervai_shared.models import Document

#: Does one attempt of a job: commits its effect with `JobRun.succeed` and gives `{"result": …}` to be announced.
Work = Callable[[JobRun], Awaitable[Document]]


class JobWork:
    """Does a job by its kind. Idempotent: the job's lease lets one run at a time in."""

    def __init__(self, records: JobRecords, kinds: Mapping[str, Work]) -> None:
        self._records = records
        self._kinds = kinds

    async def run(self, job_id: ObjectId) -> None:
        """Raises what makes the queue try again, see `JobRecords.run`."""
        await self._records.run(job_id, self._work)

    async def _work(self, run: JobRun) -> Document:
        work = self._kinds.get(run.document["kind"])
        if work is None:
            raise PermanentError("This kind of job is no longer done.")
        return await work(run)
