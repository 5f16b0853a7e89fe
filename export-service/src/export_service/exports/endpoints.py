"""HTTP of exports."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from export_service.exports.manifest_schemas import Manifest, ManifestCheck, Verdict
from export_service.exports.manifests import ManifestService
from export_service.exports.schemas import Export, ExportRequest, StartedExport
from export_service.exports.service import ExportService
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.caching import cacheable_json
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page
from intervai_shared.mongo import object_id

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])
Exports = Annotated[ExportService, Depends(provide(lambda container: container.exports))]
Manifests = Annotated[ManifestService, Depends(provide(lambda container: container.manifests))]
#: Paths that need no token: whoever was given a file may check it.
PUBLIC = frozenset({"/api/v1/exports/keys", "/api/v1/exports/verify"})
#: Seconds for which anybody may keep the keys.
KEYS_MAX_AGE_SECONDS = 3600


@router.post("", status_code=202, response_model=StartedExport)
async def start_export(body: ExportRequest, user: CurrentUser, exports: Exports) -> Any:
    """Starts a job that makes a file of a session, or gives the export that there is of the same content already."""
    export = await exports.start(user.id, body)
    return {"id": export["_id"], "status": export["status"]}


@router.get("", response_model=Page[Export])
async def list_exports(user: CurrentUser, exports: Exports, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """One's exports, the newest first."""
    return await exports.page(user.id, limit, cursor)


@router.get("/keys")
async def manifest_keys(request: Request, manifests: Manifests) -> Response:
    """The public key that manifests are checked with (JWKS)."""
    return cacheable_json(request, manifests.keys(), KEYS_MAX_AGE_SECONDS)


@router.post("/verify", response_model=Verdict)
async def verify(body: ManifestCheck, manifests: Manifests) -> Any:
    """Whether a file is still as we made it, by its manifest and its SHA-256."""
    return manifests.verify(body.manifest, body.sha256)


@router.get("/{export_id}", response_model=Export)
async def get_export(export_id: IdPath, user: CurrentUser, exports: Exports) -> Any:
    """How an export stands, with its signed URL when it is ready."""
    return await exports.get(user.id, object_id(export_id))


@router.get("/{export_id}/download", status_code=307, response_class=RedirectResponse)
async def download(export_id: IdPath, user: CurrentUser, exports: Exports) -> str:
    """Redirects to a fresh signed URL."""
    return await exports.download_url(user.id, object_id(export_id))


@router.get("/{export_id}/manifest", response_model=Manifest)
async def get_manifest(export_id: IdPath, user: CurrentUser, manifests: Manifests) -> Any:
    """A signed record of the file of an export that is ready."""
    return await manifests.get(user.id, object_id(export_id))


@router.delete("/{export_id}", status_code=204)
async def delete_export(export_id: IdPath, user: CurrentUser, exports: Exports) -> None:
    """Removes an export with its file."""
    await exports.delete(user.id, object_id(export_id))
