"""HTTP of résumés."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id
from qa_service.resumes.schemas import NewResume, Resume, ResumeUpload, ResumeWithText, StartedReading, StartedUpload
from qa_service.resumes.service import ResumeService

router = APIRouter(prefix="/api/v1/resumes", tags=["resumes"])
Resumes = Annotated[ResumeService, Depends(provide(lambda container: container.resumes))]


@router.post("/uploads", status_code=201, response_model=StartedUpload)
async def start_resume_upload(body: ResumeUpload, user: CurrentUser, resumes: Resumes) -> Any:
    """A form that uploads a résumé (PDF, DOCX or plain text) straight to the file store, for some minutes."""
    return await resumes.start_upload(user.id, body)


@router.post("", status_code=202, response_model=StartedReading)
async def read_resume(body: NewResume, user: CurrentUser, resumes: Resumes) -> Any:
    """Starts a job that reads what was uploaded. Its text is kept, the file is not."""
    return await resumes.start_reading(user.id, object_id(body.upload_id))


@router.get("", response_model=Page[Resume])
async def list_resumes(user: CurrentUser, resumes: Resumes, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """One's résumés, the newest first."""
    return await resumes.page(user.id, limit, cursor)


@router.get("/{resume_id}", response_model=ResumeWithText)
async def get_resume(resume_id: IdPath, user: CurrentUser, resumes: Resumes) -> Any:
    """One résumé, with the text that was found in it."""
    return await resumes.get(user.id, object_id(resume_id))


@router.delete("/{resume_id}", status_code=204)
async def delete_resume(resume_id: IdPath, user: CurrentUser, resumes: Resumes) -> None:
    """Removes a résumé. Sessions that were started with it keep its text until they are deleted or changed."""
    await resumes.delete(user.id, object_id(resume_id))
