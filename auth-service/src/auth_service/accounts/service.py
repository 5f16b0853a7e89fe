"""The rules of accounts: register, log in."""

import asyncio
from functools import partial

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from auth_service.accounts.password_rules import check_password
from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.schemas import Login, Registration
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.events import UserRegistered
from auth_service.guard.service import LoginGuard
from auth_service.letters.service import Letters
from auth_service.mfa.login import TwoStepLogin
from auth_service.mfa.schemas import MfaRequired
from auth_service.mfa.second_factor import is_on
from auth_service.sessions.devices import is_known_network, new_device
from auth_service.sessions.service import SessionService
from auth_service.settings import AuthSettings
from intervai_shared.errors import ConflictError, UnauthenticatedError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources

DEFAULT_ROLES = ["user"]


class AccountService:
    """Every method that lets somebody in returns `(account, tokens)` as the schemas show them."""

    def __init__(
        self,
        accounts: AccountRepository,
        sessions: SessionService,
        passwords: PasswordHasher,
        audit: AuditLog,
        resources: Resources,
        second_step: TwoStepLogin,
        letters: Letters,
        guard: LoginGuard,
    ) -> None:
        assert isinstance(resources.settings, AuthSettings)  # noqa: S101  narrows the type for mypy
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._audit = audit
        self._resources = resources
        self._second_step = second_step
        self._letters = letters
        self._guard = guard
        self._settings = resources.settings

    async def register(self, wanted: Registration, caller: Caller) -> tuple[Document, Document]:
        """A new account, signed in; emits `user.registered`. The session comes first: without Redis there is no account
        that its owner was told nothing of, and a session that stays without account is one whose token nobody has.

        Raises:
            InvalidError: the password is one of those that everybody tries.
            ConflictError: the e-mail has an account.
            TooManyRequestsError: too many accounts from this address.
        """
        await self._resources.limits.hit("register", self._settings.rate_limit_register, caller.address)
        await asyncio.to_thread(check_password, wanted.password, wanted.email)  # its first call reads a file
        account = await self._new_account(wanted, caller)
        opened = await self._sessions.open(account, caller)
        try:
            await self._resources.outbox.transaction(lambda session: self._store(account, wanted, caller, session))
        except DuplicateKeyError as error:
            await self._sessions.discard(opened)
            raise ConflictError("There is already an account with this e-mail address.") from error
        return {**account, "fullName": wanted.full_name}, self._sessions.tokens(account, opened)

    @property
    def verifies_email(self) -> bool:
        """Whether an account is of use only once its address is confirmed: `register_unseen` makes it then."""
        return self._settings.registration_verifies_email

    async def register_unseen(self, wanted: Registration, caller: Caller) -> None:
        """A new account that waits for the confirmation of its address, or a letter to who has one there already: the
        caller sees no difference, in what is done neither.

        Raises:
            InvalidError: the password is one of those that everybody tries.
            TooManyRequestsError: too many accounts from this address.
        """
        await self._resources.limits.hit("register", self._settings.rate_limit_register, caller.address)
        await asyncio.to_thread(check_password, wanted.password, wanted.email)
        account = await self._new_account(wanted, caller)
        transaction = self._resources.outbox.transaction
        try:
            await transaction(lambda session: self._store(account, wanted, caller, session))
        except DuplicateKeyError:
            await transaction(lambda session: self._tell_owner(wanted.email, caller, session))

    async def login(self, wanted: Login, caller: Caller) -> tuple[Document, Document] | MfaRequired:
        """Signs in by password, or asks for the second step of an account that has one.

        Raises:
            UnauthenticatedError: unknown e-mail or wrong password: the same answer after the same work.
            TooManyRequestsError: too many tries for this account or from this address.
        """
        key = email_key(wanted.email)
        account = await self._let_try(key, caller)
        is_right = partial(self._is_right, account, wanted.password)
        if not await self._guard.check("password", key, account, caller, is_right) or account is None:
            whose = account["_id"] if account else None
            await self._audit.record("login", caller, whose, succeeded=False, how="password")
            raise UnauthenticatedError("The e-mail address or the password is wrong.")
        await self._renew_hash(account, wanted.password)
        if is_on(account):
            return await self._second_step.begin(account, wanted.token_mode)
        return account, await self._sessions.sign_in(account, caller, "password")

    async def take_preferences(self, event: Document, session: Session) -> None:
        """Which letters a person wants, from `preferences.changed`; the latest event counts, whichever comes last."""
        data = event["data"]
        await self._accounts.set_mail(ObjectId(data["user"]), data["mail"], event["sequence"], session)

    async def _let_try(self, key: str, caller: Caller) -> Document | None:
        """The account with an e-mail, if there is one and the tries of the last minutes leave room for another.

        The moving window bounds how many passwords are hashed, right or wrong; the guard, which comes next, makes wrong
        ones slower and slower over a day. A refused address must not use up the tries of an account; and the window of
        an account is not for its owner's own networks, or a stranger with ten tries could keep the owner out.
        """
        limits, rule = self._resources.limits, self._settings.rate_limit_login
        await limits.hit("login", rule, f"address:{caller.host}")
        account = await self._accounts.by_email_key(key)
        if account is None or not is_known_network(account, caller):
            await limits.hit("login", rule, f"account:{key}")
        return account

    async def _new_account(self, wanted: Registration, caller: Caller) -> Document:
        now = utc_now()
        return {
            "_id": ObjectId(),
            "email": wanted.email,
            "emailKey": email_key(wanted.email),
            "emailVerifiedAt": None,
            "passwordHash": await self._passwords.hash(wanted.password),
            "roles": DEFAULT_ROLES,
            "sessionsEpoch": 0,
            "devices": [new_device(caller)],
            "createdAt": now,
            "updatedAt": now,
        }

    async def _store(self, account: Document, wanted: Registration, caller: Caller, session: Session) -> None:
        await self._accounts.insert(account, session)
        registered = UserRegistered(email=wanted.email, full_name=wanted.full_name)
        await self._resources.outbox.add_event(session, account["_id"], registered)
        await self._letters.post(session, "verify-email", account["_id"], wanted.email, fullName=wanted.full_name)
        await self._audit.record("account.registered", caller, account["_id"], session=session)

    async def _tell_owner(self, email: str, caller: Caller, session: Session) -> None:
        """That somebody wanted to register with their address."""
        await self._letters.post(session, "already-registered", None, email)
        owner = await self._accounts.by_email_key(email_key(email))
        if owner is not None:
            event = "account.registered"
            await self._audit.record(event, caller, owner["_id"], succeeded=False, session=session)

    async def _is_right(self, account: Document | None, password: str) -> bool:
        """Of an account that waits for its e-mail to be confirmed no password is. The guard must see no difference
        either, or who registers with another's address would learn whether it was free."""
        right = await self._passwords.verify(account["passwordHash"] if account else None, password)
        return right and account is not None and not self._waits(account)

    def _waits(self, account: Document) -> bool:
        return self.verifies_email and account["emailVerifiedAt"] is None

    async def _renew_hash(self, account: Document, password: str) -> None:
        """When the settings ask for other parameters than those of the stored hash."""
        stored = account["passwordHash"]
        if self._passwords.is_outdated(stored):
            await self._accounts.replace_hash(account["_id"], stored, await self._passwords.hash(password))


def email_key(email: str) -> str:
    """What makes two e-mail addresses the same account. The domain is case-insensitive by RFC 5321; the part before
    the @ is in practice, and two people who differ only in it would be confused. No `casefold`, which takes ß for ss:
    faß.de and fass.de are different domains (RFC 5892, section 2.6)."""
    return email.lower()
