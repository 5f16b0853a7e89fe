"""HTTP of accounts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from auth_service.accounts.schemas import Login, Refresh, Registration, SignedIn
from auth_service.accounts.service import AccountService
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.address import client_address

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
Accounts = Annotated[AccountService, Depends(provide(lambda container: container.accounts))]
ANSWER: dict[str, Any] = {"response_model": SignedIn, "response_model_exclude_none": True}


@router.post("/register", status_code=201, **ANSWER)
async def register(body: Registration, request: Request, accounts: Accounts) -> Any:
    """Makes an account and signs in."""
    account, tokens = await accounts.register(body, client_address(request))
    return {"user": account, **tokens}


@router.post("/login", **ANSWER)
async def login(body: Login, request: Request, accounts: Accounts) -> Any:
    """Signs in by e-mail and password."""
    account, tokens = await accounts.login(body, client_address(request))
    return {"user": account, **tokens}


@router.post("/refresh", **ANSWER)
async def refresh(body: Refresh, accounts: Accounts) -> Any:
    """Exchanges the refresh token for a new pair; the old one is spent."""
    account, tokens = await accounts.refresh(body.refresh_token)
    return {"user": account, **tokens}


@router.post("/logout", status_code=204)
async def logout(user: CurrentUser, accounts: Accounts) -> None:
    """Ends this session: its access token and its refresh token are refused from now on."""
    await accounts.logout(user)
