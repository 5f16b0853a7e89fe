"""HTTP of the audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from auth_service.audit.schemas import AuditEntry
from auth_service.audit.service import AuditLog
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, Limit
from intervai_shared.models import Page

router = APIRouter(prefix="/api/v1/auth/audit", tags=["audit"])
Audit = Annotated[AuditLog, Depends(provide(lambda container: container.audit))]


@router.get("", response_model=Page[AuditEntry])
async def list_my_audit_entries(user: CurrentUser, audit: Audit, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """What happened to one's account, the newest first."""
    return await audit.page(user.id, limit, cursor)
