"""HTTP of jobs."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import IdPath
from intervai_shared.http.sse import LastEventId, WhileWelcome
from intervai_shared.models import Document
from intervai_shared.mongo import object_id
from qa_service.jobs.schemas import Job
from qa_service.jobs.service import JobService

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
Jobs = Annotated[JobService, Depends(provide(lambda container: container.jobs))]


async def _own_job(job_id: IdPath, user: CurrentUser, jobs: Jobs) -> Document:
    """Answers 404 before a stream begins."""
    return await jobs.get(user.id, object_id(job_id))


OwnJob = Annotated[Document, Depends(_own_job)]


@router.get("/{job_id}", response_model=Job)
async def get_job(job: OwnJob) -> Any:
    """How a job stands."""
    return job


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    job: OwnJob, jobs: Jobs, while_welcome: WhileWelcome, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events of a job until it ends, or the token does; its first event is how it stands now."""
    async for update_id, update in while_welcome(jobs.follow(job, last_event_id)):
        yield ServerSentEvent(id=update_id, event=str(update.get("status", "progress")), data=update)


@router.delete("/{job_id}", response_model=Job)
async def cancel_job(job_id: IdPath, user: CurrentUser, jobs: Jobs) -> Any:
    """Cancels a job that is queued or running."""
    return await jobs.cancel(user.id, object_id(job_id))
