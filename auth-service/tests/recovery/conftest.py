"""Fixtures of the tests of letters' links and of new passwords."""

from typing import Any

import httpx
import pytest


@pytest.fixture
def bearer(signed_up: dict[str, Any]) -> dict[str, str]:
    """Who has just registered."""
    return {"Authorization": f"Bearer {signed_up['accessToken']}"}


@pytest.fixture
def email(registration: dict[str, Any], signed_up: dict[str, Any]) -> str:
    """The address of an account."""
    return str(registration["email"])


class Outcome:
    """What somebody can do after a new password."""

    def __init__(self, auth: httpx.AsyncClient) -> None:
        self._auth = auth

    async def logs_in(self, email: str, password: str) -> bool:
        """Whether this is the password."""
        answer = await self._auth.post("/api/v1/auth/login", json={"email": email, "password": password})
        assert answer.status_code in {200, 401}
        return answer.is_success

    async def is_signed_in(self, tokens: dict[str, Any]) -> tuple[bool, bool]:
        """Whether the access token and the refresh token of somebody are good."""
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        seen = await self._auth.get("/api/v1/auth/sessions", headers=headers)
        refreshed = await self._auth.post("/api/v1/auth/refresh", json={"refreshToken": tokens["refreshToken"]})
        return seen.is_success, refreshed.is_success


@pytest.fixture
def outcome(auth: httpx.AsyncClient) -> Outcome:
    """On the test's application."""
    return Outcome(auth)
