"""HTTP of the second factor and of the step-up. What holds a secret is never to be stored on its way."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from auth_service.dependencies import CallerOf
from auth_service.mfa.login import TwoStepLogin
from auth_service.mfa.schemas import (
    AccessToken,
    MfaStatus,
    Reauthentication,
    RecoveryCodes,
    SecondStep,
    TotpConfirmation,
    TotpSetup,
)
from auth_service.mfa.service import MfaService
from auth_service.mfa.step_up import StepUp
from auth_service.sessions.cookies import refuse_cross_site
from auth_service.sessions.endpoints import Cookies
from auth_service.sessions.schemas import SignedIn
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser, RecentUser

router = APIRouter(prefix="/api/v1/auth", tags=["mfa"])
Mfa = Annotated[MfaService, Depends(provide(lambda container: container.mfa.own))]
SecondSteps = Annotated[TwoStepLogin, Depends(provide(lambda container: container.mfa.login))]
StepUps = Annotated[StepUp, Depends(provide(lambda container: container.mfa.step_up))]


async def _no_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


SECRET = [Depends(_no_store)]


@router.get("/mfa", response_model=MfaStatus)
async def get_mfa(user: CurrentUser, mfa: Mfa) -> Any:
    """Whether one has a second factor."""
    return await mfa.status(user)


@router.post("/mfa/totp/setup", response_model=TotpSetup, dependencies=SECRET)
async def set_up_totp(user: RecentUser, mfa: Mfa) -> Any:
    """A secret for the authenticator app. It counts once a code of it was confirmed, within 10 minutes."""
    return await mfa.set_up(user)


@router.post("/mfa/totp/confirm", dependencies=SECRET)
async def confirm_totp(body: TotpConfirmation, user: CurrentUser, mfa: Mfa, caller: CallerOf) -> RecoveryCodes:
    """Switches the second factor on: from now on a log-in takes a code too."""
    return RecoveryCodes(recovery_codes=await mfa.confirm(user, body.code, caller))


@router.delete("/mfa/totp", status_code=204)
async def delete_totp(user: RecentUser, mfa: Mfa, caller: CallerOf) -> None:
    """Switches the second factor off; its recovery codes are void."""
    await mfa.switch_off(user, caller)


@router.post("/mfa/recovery-codes", dependencies=SECRET)
async def renew_recovery_codes(user: RecentUser, mfa: Mfa, caller: CallerOf) -> RecoveryCodes:
    """New recovery codes; the old ones are void."""
    return RecoveryCodes(recovery_codes=await mfa.renew_codes(user, caller))


@router.post("/mfa/totp/verify", response_model=SignedIn, response_model_exclude_none=True)
async def verify_totp(
    body: SecondStep, request: Request, response: Response, steps: SecondSteps, cookies: Cookies, caller: CallerOf
) -> Any:
    """Finishes a log-in by a code of the app or a recovery code."""
    refuse_cross_site(request)
    account, tokens, mode = await steps.finish(body, caller)
    return {"user": account, **cookies.hand_out(response, tokens, mode)}


@router.post("/reauthenticate", response_model=AccessToken, dependencies=SECRET)
async def reauthenticate(body: Reauthentication, user: CurrentUser, step_up: StepUps, caller: CallerOf) -> Any:
    """Shows again who one is. With the new access token the routes that asked for it let one in for five minutes."""
    return await step_up.reauthenticate(user, body, caller)
