"""HTTP of log-in sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from auth_service.dependencies import CallerOf
from auth_service.sessions.cookies import RefreshCookies
from auth_service.sessions.schemas import LoginSessionIdPath, OpenSessions, Refresh, SignedIn
from auth_service.sessions.service import SessionService
from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser

router = APIRouter(prefix="/api/v1/auth", tags=["sessions"])
Sessions = Annotated[SessionService, Depends(provide(lambda container: container.sessions))]
Cookies = Annotated[RefreshCookies, Depends(provide(lambda container: container.cookies))]


@router.post("/refresh", response_model=SignedIn, response_model_exclude_none=True)
async def refresh(
    request: Request,
    response: Response,
    sessions: Sessions,
    cookies: Cookies,
    caller: CallerOf,
    body: Refresh | None = None,
) -> Any:
    """Exchanges the refresh token for a new pair; the old one is spent."""
    token, mode = cookies.take_in(request, body.refresh_token if body else None)
    account, tokens = await sessions.refresh(token, caller)
    return {"user": account, **cookies.hand_out(response, tokens, mode)}


@router.post("/logout", status_code=204)
async def logout(response: Response, user: CurrentUser, sessions: Sessions, cookies: Cookies, caller: CallerOf) -> None:
    """Ends this session: its access token and its refresh token are refused from now on."""
    await sessions.logout(user, caller)
    cookies.clear(response)


@router.post("/logout-all", status_code=204)
async def logout_all(
    response: Response, user: CurrentUser, sessions: Sessions, cookies: Cookies, caller: CallerOf
) -> None:
    """Ends all of one's sessions, on every device."""
    await sessions.logout_all(user, caller)
    cookies.clear(response)


@router.get("/sessions", response_model=OpenSessions)
async def list_sessions(user: CurrentUser, sessions: Sessions) -> Any:
    """Where one is logged in."""
    return await sessions.list(user)


@router.delete("/sessions/{login_session_id}", status_code=204)
async def revoke_session(
    login_session_id: LoginSessionIdPath, user: CurrentUser, sessions: Sessions, caller: CallerOf
) -> None:
    """Ends one of one's sessions."""
    await sessions.revoke(user, login_session_id, caller)
