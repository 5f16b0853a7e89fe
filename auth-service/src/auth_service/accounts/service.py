"""The rules of accounts: register, log in, refresh, log out."""

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.schemas import Login, Registration
from auth_service.accounts.sessions import LoginSession, LoginSessions, SessionReusedError
from auth_service.events import UserRegistered
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.auth.principal import User
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
        sessions: LoginSessions,
        passwords: PasswordHasher,
        issuer: TokenIssuer,
        resources: Resources,
    ) -> None:
        assert isinstance(resources.settings, AuthSettings)  # noqa: S101  narrows the type for mypy
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._issuer = issuer
        self._resources = resources
        self._settings = resources.settings

    async def register(self, wanted: Registration, address: str) -> tuple[Document, Document]:
        """A new account, signed in; emits `user.registered`. The session comes first: without Redis there is no account
        that its owner was told nothing of, and a session that stays without account is one whose token nobody has.

        Raises:
            ConflictError: the e-mail has an account.
            TooManyRequestsError: too many accounts from this address.
        """
        await self._resources.limits.hit("register", self._settings.rate_limit_register, address)
        now = utc_now()
        account: Document = {
            "_id": ObjectId(),
            "email": wanted.email,
            "emailKey": email_key(wanted.email),
            "passwordHash": await self._passwords.hash(wanted.password),
            "roles": DEFAULT_ROLES,
            "createdAt": now,
            "updatedAt": now,
        }

        async def store(session: Session) -> None:
            await self._accounts.insert(account, session)
            registered = UserRegistered(email=wanted.email, full_name=wanted.full_name)
            await self._resources.outbox.add_event(session, account["_id"], registered)

        opened = await self._sessions.open(account["_id"])
        try:
            await self._resources.outbox.transaction(store)
        except DuplicateKeyError as error:
            await self._sessions.end(opened.id)
            raise ConflictError("There is already an account with this e-mail address.") from error
        return {**account, "fullName": wanted.full_name}, self._tokens(account, opened)

    async def login(self, wanted: Login, address: str) -> tuple[Document, Document]:
        """Signs in by password.

        Raises:
            UnauthenticatedError: unknown e-mail or wrong password: the same answer after the same time.
            TooManyRequestsError: too many tries for this account or from this address.
        """
        key = email_key(wanted.email)
        for who in (f"address:{address}", f"account:{key}"):  # a refused address must not use up people's own limits
            await self._resources.limits.hit("login", self._settings.rate_limit_login, who)
        account = await self._accounts.by_email_key(key)
        right = await self._passwords.verify(account["passwordHash"] if account else None, wanted.password)
        if account is None or not right:
            raise UnauthenticatedError("The e-mail address or the password is wrong.")
        return account, self._tokens(account, await self._sessions.open(account["_id"]))

    async def refresh(self, refresh_token: str) -> tuple[Document, Document]:
        """The next pair of tokens of a session. The account comes first: were the token spent while Mongo is down, its
        owner would try again with it later, and count as a thief. Raises UnauthenticatedError."""
        session_id, user = await self._sessions.owner(refresh_token)
        account = await self._accounts.by_id(user)
        if account is None:
            await self._sessions.end(session_id)
            raise UnauthenticatedError("The account does not exist any more.")
        try:
            session = await self._sessions.rotate(refresh_token)
        except SessionReusedError as error:
            await self._resources.revocations.publish(error.session_id)
            raise
        return account, self._tokens(account, session)

    async def logout(self, user: User) -> None:
        """Ends the caller's session, everywhere at once. The access token goes last: with it a log-out that failed half
        way can be tried again."""
        await self._sessions.end(user.session_id)
        await self._resources.revocations.publish(user.session_id)

    def _tokens(self, account: Document, session: LoginSession) -> Document:
        return {
            "accessToken": self._issuer.for_user(account["_id"], session.id, account["roles"]),
            "refreshToken": session.refresh_token,
            "expiresIn": self._settings.access_token_ttl_seconds,
        }


def email_key(email: str) -> str:
    """What makes two e-mail addresses the same account. The domain is case-insensitive by RFC 5321; the part before
    the @ is in practice, and two people who differ only in it would be confused. No `casefold`, which takes ß for ss:
    faß.de and fass.de are different domains (RFC 5892, section 2.6)."""
    return email.lower()
