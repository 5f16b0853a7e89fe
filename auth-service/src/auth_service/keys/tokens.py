"""Makes access tokens: JWT signed with EdDSA."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

import jwt
from bson import ObjectId

from auth_service.keys.service import KeyRing
from auth_service.settings import AuthSettings
from intervai_shared.auth.tokens import ALGORITHM


class TokenIssuer:
    """Signing takes 0.03 ms: done on the event loop."""

    def __init__(self, keys: KeyRing, settings: AuthSettings) -> None:
        self._keys = keys
        self._settings = settings

    @property
    def user_ttl_seconds(self) -> int:
        """How long a person's access token is good."""
        return self._settings.access_token_ttl_seconds

    def for_user(self, user: ObjectId, session_id: str, roles: Sequence[str], authenticated_at: int) -> str:
        """An access token of a person's login session. `authenticated_at` (epoch seconds) is the claim `auth_time` of
        OpenID Connect: when they last showed who they are."""
        of_session = {"sid": session_id, "roles": list(roles), "scope": "user", "auth_time": authenticated_at}
        claims = {"sub": str(user), **of_session}
        return self._sign(claims, self._settings.token_audience, self._settings.access_token_ttl_seconds)

    def for_service(self, name: str, audience: str) -> str:
        """A token with which the service `name` calls the service `audience`, and no other."""
        claims = {"sub": f"service:{name}", "scope": "service"}
        return self._sign(claims, audience, self._settings.service_token_ttl_seconds)

    def _sign(self, claims: dict[str, Any], audience: str, ttl_seconds: int) -> str:
        now = int(time.time())
        standard = {"iss": self._settings.token_issuer, "aud": audience, "iat": now, "exp": now + ttl_seconds}
        key = self._keys.signing
        body = {**claims, **standard, "jti": uuid.uuid4().hex}
        return jwt.encode(body, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
