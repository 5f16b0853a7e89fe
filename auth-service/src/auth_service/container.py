"""What a process of auth-service holds."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth_service.accounts import repository as accounts
from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.service import AccountService
from auth_service.accounts.sessions import LoginSessions
from auth_service.clients.service import ClientService
from auth_service.keys import repository as keys
from auth_service.keys.service import KeyRing
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.resources import Resources, open_resources
from intervai_shared.tasks import keep_running

INDEXES = {**accounts.INDEXES, **keys.INDEXES}


@dataclass(frozen=True)
class AuthContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    accounts: AccountService
    clients: ClientService
    keys: KeyRing


@asynccontextmanager
async def open_container(settings: AuthSettings) -> AsyncIterator[AuthContainer]:
    """Opens everything; the signing key exists when this yields."""
    async with open_resources(settings, INDEXES) as resources:
        resources.health.add("redis", resources.redis.ping, needed=True)  # login sessions live there
        master = base64.urlsafe_b64decode(settings.key_encryption_key.get_secret_value())
        key_ring = KeyRing(keys.KeyRepository(resources.mongo.db), master)
        await key_ring.load()
        issuer = TokenIssuer(key_ring, settings)
        with PasswordHasher(settings) as passwords:
            account_service = AccountService(
                accounts.AccountRepository(resources.mongo.db),
                LoginSessions(resources.redis, settings, master),
                passwords,
                issuer,
                resources,
            )
            async with keep_running("signing keys", key_ring.follow):
                yield AuthContainer(resources, account_service, ClientService(settings, issuer), key_ring)
