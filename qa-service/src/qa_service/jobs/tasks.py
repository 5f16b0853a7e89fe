"""The actor of all jobs."""

from typing import TYPE_CHECKING

from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


async def do_job(container: "QaWorker", job_id: str) -> None:
    """Does a job. Idempotent by the job's record, see `JobWork.run`."""
    await container.work.run(object_id(job_id))
