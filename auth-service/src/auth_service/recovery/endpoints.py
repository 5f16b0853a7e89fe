"""HTTP of e-mail addresses and passwords."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from auth_service.accounts.schemas import Account
from auth_service.dependencies import CallerOf
from auth_service.recovery.emails import EmailService
from auth_service.recovery.passwords import PasswordService
from auth_service.recovery.schemas import (
    Accepted,
    Address,
    NewAddress,
    PasswordChange,
    PasswordReset,
    Verification,
)
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser, RecentUser

router = APIRouter(prefix="/api/v1/auth", tags=["recovery"])
Emails = Annotated[EmailService, Depends(provide(lambda container: container.emails))]
Passwords = Annotated[PasswordService, Depends(provide(lambda container: container.passwords))]


@router.post("/email/verify", response_model=Account, response_model_exclude_none=True)
async def verify_email(body: Verification, emails: Emails, caller: CallerOf) -> Any:
    """Confirms an e-mail address by the token of a letter to it; a new one takes the old one's place."""
    return await emails.confirm(body.token, caller)


@router.post("/email/resend", status_code=202)
async def resend_verification(body: Address, emails: Emails, caller: CallerOf) -> Accepted:
    """Another letter to confirm an address. The answer is the same whether it has an account or not."""
    await emails.resend(body.email, caller)
    return Accepted()


@router.post("/email/change", status_code=202)
async def change_email(body: NewAddress, user: RecentUser, emails: Emails, caller: CallerOf) -> Accepted:
    """A letter to the new address; the old one stays until its link is followed."""
    await emails.ask_to_change(user, body.new_email, caller)
    return Accepted()


@router.post("/password/forgot", status_code=202)
async def forgot_password(body: Address, passwords: Passwords, caller: CallerOf) -> Accepted:
    """A letter to set a new password. The answer is the same whether the address has an account or not."""
    await passwords.forgot(body.email, caller)
    return Accepted()


@router.post("/password/reset", status_code=204)
async def reset_password(body: PasswordReset, passwords: Passwords, caller: CallerOf) -> None:
    """A new password by the token of a letter. All sessions end; a second factor stays on."""
    await passwords.reset(body.token, body.new_password, caller)


@router.post("/password/change", status_code=204)
async def change_password(body: PasswordChange, user: CurrentUser, passwords: Passwords, caller: CallerOf) -> None:
    """A new password by the current one. All other sessions end."""
    await passwords.change(user, body.current_password, body.new_password, caller)
