"""What a process of auth-service holds."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth_service.accounts import repository as accounts
from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.service import AccountService
from auth_service.admin import repository as admin
from auth_service.admin.service import AdminService
from auth_service.audit import repository as audit
from auth_service.audit.service import AuditLog
from auth_service.clients.service import ClientService
from auth_service.guard.service import LoginGuard
from auth_service.keys import repository as keys
from auth_service.keys.rotation import KeyRotation
from auth_service.keys.sealing import KeySeal
from auth_service.keys.service import KeyRing
from auth_service.keys.tokens import TokenIssuer
from auth_service.letters import repository as letters
from auth_service.letters.service import Letters
from auth_service.letters.tokens import LetterTokens
from auth_service.mfa.parts import Mfa, open_mfa
from auth_service.mfa.repository import MfaRepository
from auth_service.mfa.totp import Authenticator
from auth_service.privacy.parts import open_erasures
from auth_service.recovery.emails import EmailService
from auth_service.recovery.passwords import PasswordService
from auth_service.recovery.requests import LetterRequests
from auth_service.sessions.cookies import RefreshCookies
from auth_service.sessions.devices import KnownDevices
from auth_service.sessions.service import SessionService
from auth_service.sessions.store import LoginSessions
from auth_service.settings import AuthSettings
from auth_service.weekly_review.repository import SubscriberRepository
from auth_service.weekly_review.unsubscribing import Unsubscribing
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources, open_resources
from intervai_shared.tasks import keep_running

#: Those of `accounts` are in the admin room's: they hold the accounts room's own too.
INDEXES = {**admin.INDEXES, **audit.INDEXES, **keys.INDEXES, **letters.INDEXES}


@dataclass(frozen=True)
class AuthContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    accounts: AccountService
    audit: AuditLog
    sessions: SessionService
    cookies: RefreshCookies
    clients: ClientService
    keys: KeyRing
    rotation: KeyRotation
    admin: AdminService
    erasures: Erasures
    mfa: Mfa
    letters: Letters
    emails: EmailService
    passwords: PasswordService
    unsubscribing: Unsubscribing


@asynccontextmanager
async def open_container(settings: AuthSettings) -> AsyncIterator[AuthContainer]:
    """Opens everything; the signing key exists when this yields."""
    async with open_resources(settings, INDEXES) as resources:
        resources.health.add("redis", resources.redis.ping, needed=True)  # login sessions live there
        master = base64.urlsafe_b64decode(settings.key_encryption_key.get_secret_value())
        db = resources.mongo.db
        account_repository, audit_log = accounts.AccountRepository(db), AuditLog(audit.AuditRepository(db))
        post = Letters(letters.LetterRepository(db), LetterTokens(master), resources.outbox)
        key_repository, seal = keys.KeyRepository(db), KeySeal(master)
        key_ring = KeyRing(key_repository, seal, resources.revocations.key_revoked)
        await key_ring.load()
        issuer = TokenIssuer(key_ring, settings)
        sessions = SessionService(
            account_repository,
            LoginSessions(resources.redis, settings, master),
            issuer,
            audit_log,
            KnownDevices(account_repository, resources.outbox, post),
            resources.revocations,
        )
        guard = LoginGuard(resources.redis, settings, audit_log)
        with PasswordHasher(settings) as passwords:
            authenticator = Authenticator(master, settings.mfa_issuer)
            mfa = open_mfa(resources, account_repository, sessions, passwords, audit_log, post, authenticator, guard)
            requests = LetterRequests(post, resources)
            async with keep_running("signing keys", key_ring.follow):
                yield AuthContainer(
                    resources=resources,
                    accounts=AccountService(
                        account_repository, sessions, passwords, audit_log, resources, mfa.login, post, guard
                    ),
                    audit=audit_log,
                    sessions=sessions,
                    cookies=RefreshCookies(settings, master),
                    clients=ClientService(settings, issuer),
                    keys=key_ring,
                    rotation=KeyRotation(
                        key_repository,
                        seal,
                        resources.mongo,
                        audit_log,
                        resources.revocations,
                        settings.key_rotation_days,
                    ),
                    admin=AdminService(admin.AdminRepository(db), sessions, audit_log, resources.mongo),
                    erasures=open_erasures(resources, sessions),
                    mfa=mfa,
                    letters=post,
                    emails=EmailService(account_repository, post, requests, audit_log, resources.outbox),
                    passwords=PasswordService(
                        account_repository,
                        passwords,
                        sessions,
                        post,
                        requests,
                        audit_log,
                        resources.outbox,
                        guard,
                        MfaRepository(db),
                    ),
                    unsubscribing=Unsubscribing(SubscriberRepository(db), resources.outbox, master, settings),
                )
