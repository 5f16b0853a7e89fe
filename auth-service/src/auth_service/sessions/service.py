"""The rules of log-in sessions: who gets one, how it goes on, how it ends."""

import time
from datetime import UTC, datetime

from bson import ObjectId

from auth_service.accounts.repository import AccountRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.keys.tokens import TokenIssuer
from auth_service.sessions.devices import KnownDevices
from auth_service.sessions.store import LoginSession, LoginSessions, SessionOwner, SessionReusedError
from intervai_shared.auth.principal import User
from intervai_shared.auth.revocations import Revocations
from intervai_shared.errors import NotFoundError, UnauthenticatedError
from intervai_shared.models import Document


class SessionService:
    """Tokens are `{accessToken, refreshToken, expiresIn}`.

    An account counts the epochs of its sessions (`sessionsEpoch`): to end all of them is to begin a new one. That is
    committed in Mongo, so that a session which Redis brings back, or which a log-in with the old password was just
    opening, is refused at its next refresh.
    """

    def __init__(
        self,
        accounts: AccountRepository,
        store: LoginSessions,
        issuer: TokenIssuer,
        audit: AuditLog,
        devices: KnownDevices,
        revocations: Revocations,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._issuer = issuer
        self._audit = audit
        self._devices = devices
        self._revocations = revocations

    async def sign_in(self, account: Document, caller: Caller, how: str) -> Document:
        """Tokens of a new session for somebody who has shown to be the account's owner; `how` is for the audit log:
        `password`, `totp`, `recovery-code`.

        The account is looked at once more when the session is there: who locks it, or ends its sessions, while a slow
        hash is computed, either finds the session or is found here.

        Raises:
            UnauthenticatedError: the account is locked, or all its sessions have been ended meanwhile.
        """
        refuse_locked(account)
        await self._devices.seen(account, caller)
        epoch = account.get("sessionsEpoch", 0)
        opened = await self._store.open(account["_id"], caller, epoch)
        await self._refuse_ended(
            SessionOwner(opened.id, account["_id"], epoch), await self._accounts.by_id(opened.user)
        )
        await self._audit.record("login", caller, account["_id"], how=how)
        return self.tokens(account, opened)

    async def open(self, account: Document, caller: Caller) -> LoginSession:
        """A session of an account that is being made. Raises redis.RedisError."""
        return await self._store.open(account["_id"], caller)

    async def discard(self, opened: LoginSession) -> None:
        """Ends a session whose account was not made. Nobody has its tokens."""
        await self._store.end(opened.id)

    async def refresh(self, refresh_token: str, caller: Caller) -> tuple[Document, Document]:
        """`(account, tokens)`: the next pair of a session. The account comes first: were the token spent while Mongo is
        down, its owner would try again with it later, and count as a thief. Raises UnauthenticatedError."""
        owner = await self._store.owner(refresh_token)
        account = await self._accounts.by_id(owner.user)
        await self._refuse_ended(owner, account)
        try:
            session = await self._store.rotate(refresh_token, caller)
        except SessionReusedError as error:
            await self._revocations.publish(error.session_id)
            await self._audit.note("session.reused", caller, error.user, succeeded=False)
            raise
        assert account is not None  # noqa: S101  refused above
        return account, self.tokens(account, session)

    async def prove_again(self, account: Document, user: User) -> Document:
        """An access token that says that the caller has just shown again who they are: `{accessToken, expiresIn}`.
        Raises UnauthenticatedError when the session has ended."""
        now = int(time.time())
        if not await self._store.change(user.session_id, authenticatedAt=now):
            raise UnauthenticatedError("The session has ended. Please log in again.")
        return self._access_token(account, user.session_id, now)

    async def list(self, user: User) -> Document:
        """The person's open sessions as `OpenSessions` shows them."""
        found = await self._store.of_user(user.id)
        return {
            "items": [
                {
                    "id": session_id,
                    "createdAt": _time(fields["createdAt"]),
                    "lastUsedAt": _time(fields["rotatedAt"]),
                    "address": fields.get("address", ""),
                    "userAgent": fields.get("userAgent", ""),
                    "isCurrent": session_id == user.session_id,
                }
                for session_id, fields in found.items()
            ]
        }

    async def count(self, user: ObjectId) -> int:
        """How many sessions of a person are open."""
        return len(await self._store.of_user(user))

    async def logout(self, user: User, caller: Caller) -> None:
        """Ends the caller's session, everywhere at once. The access token goes last: with it a log-out that failed half
        way can be tried again."""
        await self._store.end(user.session_id)
        await self._revocations.publish(user.session_id)
        await self._audit.note("logout", caller, user.id)

    async def revoke(self, user: User, session_id: str, caller: Caller) -> None:
        """Ends another session of the caller's. Raises NotFoundError: they have no such one."""
        if not await self._store.is_of(user.id, session_id):
            raise NotFoundError("You have no such session.")
        await self._store.end(session_id)
        await self._revocations.publish(session_id)
        await self._audit.note("session.revoked", caller, user.id)

    async def logout_all(self, user: User, caller: Caller) -> None:
        """Ends all sessions of the caller's, this one too."""
        await self._audit.record("logout-all", caller, user.id)
        await self.end_all(user.id)
        await self._revocations.publish(user.session_id)  # also when Redis has lost its list

    async def end_all(self, user: ObjectId, *, keep: str | None = None) -> None:
        """Ends all sessions of a person in every process, but for `keep`. Raises redis.RedisError: then no refresh
        works any more, but access tokens live on, at most their 10 minutes; to be tried again."""
        epoch = await self._accounts.new_epoch(user)
        if keep is not None:
            await self._store.change(keep, epoch=epoch)
        others = [session_id for session_id in await self._store.of_user(user) if session_id != keep]
        await self._store.end(*others)
        await self._revocations.publish(*others)

    async def end_account(self, user: ObjectId) -> None:
        """Ends all that was issued to a person whose account is locked or erased. Raises redis.RedisError."""
        session_ids = list(await self._store.of_user(user))
        await self._store.end(*session_ids)
        await self._store.forget_list(user)
        await self._revocations.publish(*session_ids)  # a refresh under way may issue one more token after this second
        await self._revocations.publish_user(user)

    def tokens(self, account: Document, session: LoginSession) -> Document:
        """The pair that a session has now."""
        access = self._access_token(account, session.id, session.authenticated_at)
        return {**access, "refreshToken": session.refresh_token}

    def _access_token(self, account: Document, session_id: str, authenticated_at: int) -> Document:
        token = self._issuer.for_user(account["_id"], session_id, account["roles"], authenticated_at)
        return {"accessToken": token, "expiresIn": self._issuer.user_ttl_seconds}

    async def _refuse_ended(self, owner: SessionOwner, account: Document | None) -> None:
        reason = _why_ended(owner, account)
        if reason is not None:
            await self._store.end(owner.session_id)
            await self._revocations.publish(owner.session_id)
            raise UnauthenticatedError(reason)


def refuse_locked(account: Document) -> None:
    """Raises UnauthenticatedError when an administrator has locked the account: said only to who has its password."""
    if account.get("lockedAt"):
        raise UnauthenticatedError("This account has been locked. Please write to our support.")


def _why_ended(owner: SessionOwner, account: Document | None) -> str | None:
    if account is None:
        return "The account does not exist any more."
    if account.get("lockedAt"):
        return "This account has been locked. Please write to our support."
    if owner.epoch < account.get("sessionsEpoch", 0):
        return "The session has ended. Please log in again."
    return None


def _time(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
