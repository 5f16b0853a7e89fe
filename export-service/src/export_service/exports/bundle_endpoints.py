"""HTTP of bundles."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from export_service.exports.bundle_schemas import BundleRequest
from export_service.exports.bundles import BundleService
from export_service.exports.schemas import StartedExport
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])
Bundles = Annotated[BundleService, Depends(provide(lambda container: container.bundles))]


@router.post("/bundle", status_code=202, response_model=StartedExport)
async def start_bundle(body: BundleRequest, user: CurrentUser, bundles: Bundles) -> Any:
    """Starts a job that makes one ZIP archive of up to 20 sessions; it is an export like any other."""
    bundle = await bundles.start(user.id, body)
    return {"id": bundle["_id"], "status": bundle["status"]}
