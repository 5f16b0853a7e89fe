"""The rules of administration: what it does, it does in the audit log of the account, with who did it."""

from bson import ObjectId

from auth_service.accounts.service import email_key
from auth_service.admin.repository import AdminRepository
from auth_service.admin.schemas import NEWEST_FIRST
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.sessions.service import SessionService
from intervai_shared.auth.principal import User
from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session

#: Entries of the audit log that are shown with an account.
LAST_ENTRIES = 10


class AdminService:
    """Every method that takes the id of an account raises NotFoundError when there is none with it."""

    def __init__(self, accounts: AdminRepository, sessions: SessionService, audit: AuditLog, mongo: Mongo) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._audit = audit
        self._mongo = mongo

    async def page(
        self, limit: int, cursor: str | None, *, status: str | None, role: str | None, email_start: str | None
    ) -> Document:
        """A page of accounts, the newest first. Raises InvalidError when the cursor is none."""
        start = email_key(email_start) if email_start else None
        after = NEWEST_FIRST.position(cursor)
        found = await self._accounts.page(limit + 1, after, status=status, role=role, email_start=start)
        return NEWEST_FIRST.page(found, limit)

    async def get(self, account_id: ObjectId) -> Document:
        """An account, with the number of its open sessions and its last audit entries."""
        account = await self._found(account_id)
        entries = await self._audit.page(account_id, LAST_ENTRIES, None)
        return {**account, "openSessions": await self._sessions.count(account_id), "audit": entries["items"]}

    async def audit(self, account_id: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of an account's audit log, the newest first. Raises InvalidError when the cursor is none."""
        await self._found(account_id)
        return await self._audit.page(account_id, limit, cursor)

    async def lock(self, account_id: ObjectId, reason: str, admin: User, caller: Caller) -> Document:
        """Locks an account and ends all that was issued to it. Who does it again ends again what there is: the way on
        when Redis was away. What is signing in meanwhile finds the lock itself, see `SessionService.sign_in`.

        Raises:
            ConflictError: it is one's own.
            redis.RedisError: the account is locked, but its tokens live on, at most their 10 minutes.
        """
        if account_id == admin.id:
            raise ConflictError("You cannot lock your own account.")
        await self._found(account_id)

        async def effect(session: Session) -> None:
            if await self._accounts.lock(account_id, reason, admin.id, session):
                await self._audit.record(
                    "account.locked", caller, account_id, by=admin.id, session=session, reason=reason
                )

        await self._mongo.transaction(effect)
        await self._sessions.end_account(account_id)
        return await self._found(account_id)

    async def unlock(self, account_id: ObjectId, admin: User, caller: Caller) -> Document:
        """Lets the owner log in again. Sessions that were ended stay so."""
        await self._found(account_id)

        async def effect(session: Session) -> None:
            if await self._accounts.unlock(account_id, session):
                await self._audit.record("account.unlocked", caller, account_id, by=admin.id, session=session)

        await self._mongo.transaction(effect)
        return await self._found(account_id)

    async def logout(self, account_id: ObjectId, admin: User, caller: Caller) -> None:
        """Ends all sessions of an account, those too that Redis has lost from its list. Raises redis.RedisError: then
        no refresh works any more, but access tokens live on, at most their 10 minutes."""
        await self._found(account_id)
        await self._audit.record("logout-all", caller, account_id, by=admin.id)
        await self._sessions.end_all(account_id)
        await self._sessions.end_account(account_id)

    async def _found(self, account_id: ObjectId) -> Document:
        account = await self._accounts.by_id(account_id)
        if account is None:
            raise NotFoundError("There is no such account.")
        return account
