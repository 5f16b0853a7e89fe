"""Actors of generation."""

from typing import TYPE_CHECKING

from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


async def generate_questions(container: "QaWorker", job_id: str) -> None:
    """Makes the questions of a job. Idempotent by the job's record, see `Generator.run`."""
    await container.generator.run(object_id(job_id))
