"""Calls to sister services, through the gateway's internal entry point, with this service's own token."""

import asyncio
import time
from typing import Any

import httpx
import stamina

from intervai_shared import context
from intervai_shared.errors import NotFoundError, UnavailableError
from intervai_shared.settings import ServiceSettings

#: Seconds before its end at which a service token is replaced.
RENEW_SECONDS = 30.0
_RETRIED_STATUS = frozenset({502, 503, 504})


class _TryAgainError(Exception):
    """The answer was a passing fault of the way."""


class ServiceClient:
    """Reads of other services: retried on passing faults, with time-outs, carrying the request's context."""

    def __init__(self, http: httpx.AsyncClient, settings: ServiceSettings) -> None:
        self._http = http
        self._id = settings.service_client_id
        self._secret = settings.service_client_secret
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = asyncio.Lock()

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """The JSON that `service` answers on its internal `path`.

        Raises:
            NotFoundError: it says 404.
            UnavailableError: it cannot be reached, or answers something unexpected.
        """
        try:
            response = await self._get(service, path, params)
        except (httpx.HTTPError, _TryAgainError) as error:
            raise UnavailableError(f"{service} is not reachable now.") from error
        if response.status_code == 404:
            raise NotFoundError
        if response.is_error:
            raise UnavailableError(f"{service} answered {response.status_code}.")
        return response.json()

    @stamina.retry(on=(httpx.TransportError, _TryAgainError), attempts=4, wait_initial=0.2, wait_max=2.0, timeout=15.0)
    async def _get(self, service: str, path: str, params: dict[str, Any]) -> httpx.Response:
        headers = {**context.outgoing_headers(), "Authorization": f"Bearer {await self.token_for(service)}"}
        response = await self._http.get(f"/{service}{path}", params=params, headers=headers)
        if response.status_code in _RETRIED_STATUS:
            raise _TryAgainError(f"{service} answered {response.status_code}")
        return response

    async def token_for(self, audience: str) -> str:
        """A token for one service, from memory while it lives; one fetch at a time.

        Raises:
            httpx.HTTPError: auth-service cannot be reached or refuses us.
        """
        async with self._lock:
            token, until = self._tokens.get(audience, ("", 0.0))
            if until > time.monotonic():
                return token
            token, ttl = await self._fetch_token(audience)
            self._tokens[audience] = (token, time.monotonic() + ttl - RENEW_SECONDS)
            return token

    async def _fetch_token(self, audience: str) -> tuple[str, float]:
        secret = self._secret.get_secret_value()
        body = {"clientId": self._id, "clientSecret": secret, "audience": audience}
        response = await self._http.post("/auth-service/internal/token", json=body)
        if response.status_code in _RETRIED_STATUS:
            raise _TryAgainError(f"auth-service answered {response.status_code}")
        response.raise_for_status()
        answer = response.json()
        return str(answer["accessToken"]), float(answer["expiresIn"])
