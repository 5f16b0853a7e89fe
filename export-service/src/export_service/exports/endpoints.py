"""HTTP of exports."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse

from export_service.exports.schemas import Export, ExportRequest, StartedExport
from export_service.exports.service import ExportService
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])
Exports = Annotated[ExportService, Depends(provide(lambda container: container.exports))]


@router.post("", status_code=202, response_model=StartedExport)
async def start_export(body: ExportRequest, user: CurrentUser, exports: Exports) -> Any:
    """Starts a job that makes a file of a session."""
    export = await exports.start(user.id, body)
    return {"id": export["_id"], "status": export["status"]}


@router.get("", response_model=Page[Export])
async def list_exports(user: CurrentUser, exports: Exports, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """One's exports, the newest first."""
    return await exports.page(user.id, limit, cursor)


@router.get("/{export_id}", response_model=Export)
async def get_export(export_id: IdPath, user: CurrentUser, exports: Exports) -> Any:
    """How an export stands, with its signed URL when it is ready."""
    return await exports.get(user.id, object_id(export_id))


@router.get("/{export_id}/download", status_code=307, response_class=RedirectResponse)
async def download(export_id: IdPath, user: CurrentUser, exports: Exports) -> str:
    """Redirects to a fresh signed URL."""
    return await exports.download_url(user.id, object_id(export_id))


@router.delete("/{export_id}", status_code=204)
async def delete_export(export_id: IdPath, user: CurrentUser, exports: Exports) -> None:
    """Removes an export with its file."""
    await exports.delete(user.id, object_id(export_id))
