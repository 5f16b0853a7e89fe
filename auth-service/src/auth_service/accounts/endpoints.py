"""HTTP of accounts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from auth_service.accounts.schemas import Login, Registration, VerificationRequired
from auth_service.accounts.service import AccountService
from auth_service.dependencies import CallerOf
from auth_service.mfa.schemas import MfaRequired
from auth_service.sessions.cookies import refuse_cross_site
from auth_service.sessions.endpoints import Cookies
from auth_service.sessions.schemas import SignedIn
from intervai_shared.app import provide

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
Accounts = Annotated[AccountService, Depends(provide(lambda container: container.accounts))]
ANSWER: dict[str, Any] = {"response_model": SignedIn, "response_model_exclude_none": True}


@router.post("/register", status_code=201, responses={202: {"model": VerificationRequired}}, **ANSWER)
async def register(
    body: Registration, request: Request, response: Response, accounts: Accounts, cookies: Cookies, caller: CallerOf
) -> Any:
    """Makes an account and signs in; where addresses must be confirmed first, it answers 202 to everybody."""
    refuse_cross_site(request)
    if accounts.verifies_email:
        await accounts.register_unseen(body, caller)
        return JSONResponse(VerificationRequired().model_dump(by_alias=True), 202)
    account, tokens = await accounts.register(body, caller)
    return {"user": account, **cookies.hand_out(response, tokens, body.token_mode)}


@router.post("/login", response_model=SignedIn | MfaRequired, response_model_exclude_none=True)
async def login(
    body: Login, request: Request, response: Response, accounts: Accounts, cookies: Cookies, caller: CallerOf
) -> Any:
    """Signs in by e-mail and password. For an account with a second factor it answers the token of the second step."""
    refuse_cross_site(request)
    outcome = await accounts.login(body, caller)
    if isinstance(outcome, MfaRequired):
        response.headers["Cache-Control"] = "no-store"
        return outcome
    account, tokens = outcome
    return {"user": account, **cookies.hand_out(response, tokens, body.token_mode)}
