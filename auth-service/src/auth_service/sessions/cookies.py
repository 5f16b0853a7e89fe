"""Cookie mode: the refresh token in a cookie that no script can read, and the defence against cross-site requests that
a cookie needs (https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).

The browser sends the cookie by itself, so a refresh by cookie must also carry what only a page of ours can know: the
signed double-submit token, made from the session. Browsers that say where a request comes from (Sec-Fetch-Site) are
taken at their word besides, and SameSite=Strict keeps the cookie at home in the first place.
"""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_service.accounts.schemas import TokenMode
from auth_service.settings import AuthSettings
from intervai_shared.errors import ForbiddenError, UnauthenticatedError
from intervai_shared.models import Document

if TYPE_CHECKING:  # a worker holds this too, and does without the web framework
    from starlette.requests import Request
    from starlette.responses import Response

#: The prefix makes browsers refuse it from a page without TLS (RFC 6265bis, section 4.1.3).
REFRESH_COOKIE = "__Secure-intervai_refresh"
#: Readable by our pages: they send it back as a header.
CSRF_COOKIE = "intervai_csrf"
CSRF_HEADER = "X-CSRF-Token"
#: The only routes that the refresh token is sent to.
PATH = "/api/v1/auth"


class RefreshCookies:
    """Hands refresh tokens out and takes them in, in both modes."""

    def __init__(self, settings: AuthSettings, master_key: bytes) -> None:
        self._max_age = settings.refresh_absolute_seconds
        self._key = HKDF(SHA256(), 32, salt=None, info=b"csrf-token").derive(master_key)

    def hand_out(self, response: "Response", tokens: Document, mode: TokenMode) -> Document:
        """The tokens as the body shows them. In cookie mode the refresh token is not among them."""
        response.headers["Cache-Control"] = "no-store"  # RFC 6749, section 5.1
        if mode == "body":
            return tokens
        shown = {name: value for name, value in tokens.items() if name != "refreshToken"}
        csrf_token = self.csrf_token(tokens["refreshToken"])
        self._set(response, REFRESH_COOKIE, tokens["refreshToken"], PATH, httponly=True)
        self._set(response, CSRF_COOKIE, csrf_token, "/", httponly=False)
        return {**shown, "csrfToken": csrf_token}

    def take_in(self, request: "Request", from_body: str | None) -> tuple[str, TokenMode]:
        """The refresh token of a request and the mode that it came in.

        Raises:
            UnauthenticatedError: there is none.
            ForbiddenError: it came by cookie, without the proof that a page of ours sent it.
        """
        if from_body is not None:
            return from_body, "body"
        token = request.cookies.get(REFRESH_COOKIE)
        if not token:
            raise UnauthenticatedError("A refresh token is needed, in the body or in the cookie.")
        refuse_cross_site(request)
        shown = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(shown.encode(), self.csrf_token(token).encode()):
            raise ForbiddenError(f"A refresh by cookie needs the header {CSRF_HEADER} with the session's csrfToken.")
        return token, "cookie"

    def clear(self, response: "Response") -> None:
        """Has the browser forget both cookies."""
        response.delete_cookie(REFRESH_COOKIE, PATH, secure=True, httponly=True, samesite="strict")
        response.delete_cookie(CSRF_COOKIE, "/", secure=True, samesite="strict")

    def csrf_token(self, refresh_token: str) -> str:
        """The token of a session: the same through all its refreshes, so that two tabs do not get into each other's
        way."""
        session_id = refresh_token.partition(".")[0]
        digest = hmac.digest(self._key, session_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _set(self, response: "Response", name: str, value: str, path: str, *, httponly: bool) -> None:
        response.set_cookie(name, value, self._max_age, path=path, secure=True, httponly=httponly, samesite="strict")


def refuse_cross_site(request: "Request") -> None:
    """Refuses what a browser says was caused by a foreign site (https://www.w3.org/TR/fetch-metadata/).

    Raises:
        ForbiddenError: it was.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise ForbiddenError("This may not be asked from another site.")
