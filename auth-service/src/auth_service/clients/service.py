"""The rules of service tokens."""

import hmac

from auth_service.clients.schemas import Credentials, ServiceToken
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.errors import UnauthenticatedError


class ClientService:
    """Knows the services and their secrets from the settings."""

    def __init__(self, settings: AuthSettings, issuer: TokenIssuer) -> None:
        self._clients = settings.service_clients
        self._ttl = settings.service_token_ttl_seconds
        self._issuer = issuer

    def token(self, credentials: Credentials) -> ServiceToken:
        """A token bound to one audience. Raises UnauthenticatedError on an unknown client or a wrong secret."""
        known = self._clients.get(credentials.client_id)
        expected = known.get_secret_value() if known else ""
        right = hmac.compare_digest(expected.encode(), credentials.client_secret.encode())
        if known is None or not right or credentials.audience not in self._clients:
            raise UnauthenticatedError("Unknown client, wrong secret, or unknown audience.")
        token = self._issuer.for_service(credentials.client_id, credentials.audience)
        return ServiceToken(access_token=token, expires_in=self._ttl)
