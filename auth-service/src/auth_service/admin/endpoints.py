"""HTTP of administration."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import StringConstraints

from auth_service.admin.schemas import AdminAccount, AdminAccountDetails, Lock
from auth_service.admin.service import AdminService
from auth_service.audit.schemas import AuditEntry
from auth_service.dependencies import CallerOf
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import AdminUser, RecentUser
from intervai_shared.auth.principal import User
from intervai_shared.http.params import Cursor, IdPath, Limit
from intervai_shared.models import Page, Text
from intervai_shared.mongo import object_id

router = APIRouter(prefix="/api/v1/auth/admin/users", tags=["admin"])
Status = Annotated[Literal["active", "locked"] | None, Query(description="Only accounts of this status.")]
RoleOf = Annotated[Literal["user", "admin"] | None, Query(alias="role", description="Only accounts with this role.")]
EmailStart = Annotated[
    Annotated[Text, StringConstraints(min_length=1, max_length=254)] | None,
    Query(alias="q", description="Only accounts whose e-mail begins so, whatever the case."),
]
Admin = Annotated[AdminService, Depends(provide(lambda container: container.admin))]


async def _recent_admin(admin: AdminUser, _: RecentUser) -> User:
    return admin


#: An administrator who has just shown who they are: a stolen token alone locks nobody out.
RecentAdmin = Annotated[User, Depends(_recent_admin)]


@router.get("", response_model=Page[AdminAccount])
async def list_accounts(
    _: AdminUser,
    admin: Admin,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: Status = None,
    role: RoleOf = None,
    email_start: EmailStart = None,
) -> Any:
    """All accounts, the newest first."""
    return await admin.page(limit, cursor, status=status, role=role, email_start=email_start)


@router.get("/{user_id}", response_model=AdminAccountDetails)
async def get_account(user_id: IdPath, _: AdminUser, admin: Admin) -> Any:
    """One account, with its open sessions counted and its last audit entries."""
    return await admin.get(object_id(user_id))


@router.get("/{user_id}/audit", response_model=Page[AuditEntry])
async def list_audit_entries(
    user_id: IdPath, _: AdminUser, admin: Admin, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """What happened to an account, the newest first."""
    return await admin.audit(object_id(user_id), limit, cursor)


@router.post("/{user_id}/lock", response_model=AdminAccount)
async def lock_account(user_id: IdPath, body: Lock, user: RecentAdmin, admin: Admin, caller: CallerOf) -> Any:
    """Ends all sessions of an account, in every service at once, and lets nobody in until it is unlocked."""
    return await admin.lock(object_id(user_id), body.reason, user, caller)


@router.post("/{user_id}/unlock", response_model=AdminAccount)
async def unlock_account(user_id: IdPath, user: RecentAdmin, admin: Admin, caller: CallerOf) -> Any:
    """Lets the owner log in again."""
    return await admin.unlock(object_id(user_id), user, caller)


@router.post("/{user_id}/logout", status_code=204)
async def log_out_account(user_id: IdPath, user: RecentAdmin, admin: Admin, caller: CallerOf) -> None:
    """Ends all sessions of an account, on every device. Its owner may log in again."""
    await admin.logout(object_id(user_id), user, caller)
