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
#: Seconds that a call may take with all its tries: less than a person waits, and than the gateway does.
CALL_SECONDS = 10.0
_RETRIED_STATUS = frozenset({502, 503, 504})
#: Failed tries in a row after which a service is left alone for a while: its callers answer at once, it can recover.
BREAK_AFTER = 8
BREAK_SECONDS = 5


class _TryAgainError(Exception):
    """The answer was a passing fault of the way."""


class _RefusedError(Exception):
    """The service says itself that it cannot answer now, and when to come again: nothing to repeat at once. It has
    waited for its own parts already, and to ask it three times more would be a load on what is ill."""


_PASSING = (httpx.TransportError, _TryAgainError)
_FAULTS = (*_PASSING, _RefusedError)


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
            async with asyncio.timeout(CALL_SECONDS):
                response = await self._get(self._breaker(service), service, path, params)
        except (httpx.HTTPError, TimeoutError, *_FAULTS) as error:
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

    @stamina.retry(on=_PASSING, attempts=4, wait_initial=0.2, wait_max=2.0, timeout=CALL_SECONDS)
    async def _get(self, breaker: CircuitBreaker, service: str, path: str, params: dict[str, Any]) -> httpx.Response:
        if breaker.opened:
            raise UnavailableError(f"{service} is not reachable now.", max(1, breaker.open_remaining))
        with breaker:
            headers = {**context.outgoing_headers(), "Authorization": f"Bearer {await self.token_for(service)}"}
            response = await self._http.get(f"/{service}{path}", params=params, headers=headers)
            if response.status_code == 401:  # its keys or ours have changed before the token's end
                self._tokens.pop(service, None)
            if response.status_code == 503 and "Retry-After" in response.headers:
                raise _RefusedError(f"{service} answered 503")
            if response.status_code in _RETRIED_STATUS | {401} or _knows_no_route(response):
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


def _knows_no_route(response: httpx.Response) -> bool:
    """Whether a 404 is the gateway's own: until it has loaded its routes it finds nothing. A service would send a
    problem document; to believe the gateway would be to believe that a session is gone."""
    media_type = response.headers.get("Content-Type", "")
    return response.status_code == 404 and not media_type.startswith("application/problem+json")
