"""Calls to sister services, through the gateway's internal entry point, with this service's own token."""

import asyncio
import time
from typing import Any

import httpx
import stamina
from circuitbreaker import CircuitBreaker

from intervai_shared import context
from intervai_shared.errors import NotFoundError, UnavailableError
from intervai_shared.settings import ServiceSettings

#: Seconds before its end at which a service token is replaced.
RENEW_SECONDS = 30.0
_RETRIED_STATUS = frozenset({502, 503, 504})
#: Failed tries in a row after which a service is left alone for a while: its callers answer at once, it can recover.
BREAK_AFTER = 8
BREAK_SECONDS = 5


class _TryAgainError(Exception):
    """The answer was a passing fault of the way."""


_FAULTS = (httpx.TransportError, _TryAgainError)


class ServiceClient:
    """Reads of other services: retried on passing faults, with time-outs and a circuit breaker a service
    (https://martinfowler.com/bliki/CircuitBreaker.html), carrying the request's context."""

    def __init__(self, http: httpx.AsyncClient, settings: ServiceSettings) -> None:
        self._http = http
        self._id = settings.service_client_id
        self._secret = settings.service_client_secret
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = asyncio.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """The JSON that `service` answers on its internal `path`.

        Raises:
            NotFoundError: it says 404.
            UnavailableError: it cannot be reached, has failed too often just now, or answers something unexpected.
        """
        try:
            response = await self._get(self._breaker(service), service, path, params)
        except (httpx.HTTPError, _TryAgainError) as error:
            raise UnavailableError(f"{service} is not reachable now.") from error
        if response.status_code == 404:
            raise NotFoundError
        if response.is_error:
            raise UnavailableError(f"{service} answered {response.status_code}.")
        return response.json()

    def _breaker(self, service: str) -> CircuitBreaker:
        if service not in self._breakers:
            self._breakers[service] = CircuitBreaker(BREAK_AFTER, BREAK_SECONDS, _FAULTS, service)
        return self._breakers[service]

    @stamina.retry(on=_FAULTS, attempts=4, wait_initial=0.2, wait_max=2.0, timeout=15.0)
    async def _get(self, breaker: CircuitBreaker, service: str, path: str, params: dict[str, Any]) -> httpx.Response:
        if breaker.opened:
            raise UnavailableError(f"{service} is not reachable now.", max(1, breaker.open_remaining))
        with breaker:
            headers = {**context.outgoing_headers(), "Authorization": f"Bearer {await self.token_for(service)}"}
            response = await self._http.get(f"/{service}{path}", params=params, headers=headers)
            if response.status_code == 401:  # its keys or ours have changed before the token's end
                self._tokens.pop(service, None)
            if response.status_code in _RETRIED_STATUS | {401}:
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
