"""HTTP of erasure and of one's own data."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser, RecentUser
from intervai_shared.http.caching import cacheable_json
from user_service.privacy.data_files import DataFileService
from user_service.privacy.schemas import DataFile, Erasure, StartedErasure
from user_service.privacy.service import ErasureService

router = APIRouter(prefix="/api/v1/users", tags=["privacy"])
Erasures = Annotated[ErasureService, Depends(provide(lambda container: container.erasure_requests))]
DataFiles = Annotated[DataFileService, Depends(provide(lambda container: container.data_files))]
Receipt = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{43}$", description="From the answer to DELETE /users/me.")]
#: Paths that need no token: who asks has no account any more.
PUBLIC = frozenset({"/api/v1/users/erasures/keys", "/api/v1/users/erasures/{receipt}"})
#: Seconds for which anybody may keep the keys.
KEYS_MAX_AGE_SECONDS = 3600


@router.delete("/me", status_code=202, response_model=StartedErasure)
async def erase_me(user: RecentUser, erasures: Erasures) -> Any:
    """Erases the account and all that any service holds of the person. It cannot be undone."""
    return await erasures.request(user.id)


@router.get("/erasures/keys")
async def erasure_keys(request: Request, erasures: Erasures) -> Response:
    """The public key that signed records of erasure are checked with (JWKS)."""
    return cacheable_json(request, erasures.keys(), KEYS_MAX_AGE_SECONDS)


@router.get("/erasures/{receipt}", response_model=Erasure)
async def get_erasure(receipt: Receipt, erasures: Erasures) -> Any:
    """How far an erasure is, by its receipt."""
    return await erasures.status(receipt)


@router.get("/me/data", response_model=DataFile, responses={202: {"model": DataFile}}, response_model_exclude_none=True)
async def get_my_data(user: CurrentUser, files: DataFiles, response: Response) -> Any:
    """One's data of all services in one file: 202 while it is being made, which this begins, 200 when it is ready."""
    file = await files.get(user.id)
    response.status_code = 202 if file["status"] in {"queued", "running"} else 200
    return file


@router.post("/me/data", status_code=202, response_model=DataFile, response_model_exclude_none=True)
async def make_my_data(user: CurrentUser, files: DataFiles) -> Any:
    """Begins a new file, whatever there is."""
    return await files.start(user.id)
