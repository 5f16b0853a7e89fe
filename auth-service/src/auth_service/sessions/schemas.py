"""Requests and answers of the session routes, and the tokens that every way in answers with."""

from typing import Annotated

from fastapi import Path
from pydantic import Field, StringConstraints

from auth_service.accounts.schemas import Account
from intervai_shared.models import InputModel, UtcTime, WireModel

LoginSessionIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$", examples=["wq1xkq3Vb0m6s8Zp1cF4Hg"])]


class Refresh(InputModel):
    """Exchanges a refresh token for its successor. In cookie mode it comes with the cookie."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None


class Tokens(WireModel):
    """`expiresIn`: seconds until the access token ends. In cookie mode there is no `refreshToken` but a `csrfToken`."""

    access_token: str
    refresh_token: str | None = None
    csrf_token: str | None = Field(None, description="Send it as X-CSRF-Token with a refresh by cookie.")
    token_type: str = "Bearer"  # noqa: S105  RFC 6750's name of the scheme
    expires_in: int


class SignedIn(Tokens):
    """Tokens with the account that they are for."""

    user: Account


class OpenSession(WireModel):
    """Where one is logged in. `address` and `userAgent` are of the last refresh."""

    id: str
    created_at: UtcTime
    last_used_at: UtcTime
    address: str
    user_agent: str
    is_current: bool


class OpenSessions(WireModel):
    """All of them, the newest first."""

    items: list[OpenSession]
    next_cursor: None = None
