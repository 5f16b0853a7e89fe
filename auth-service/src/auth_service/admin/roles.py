"""Who is an administrator. Only the command line says so: nobody becomes one over HTTP."""

from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.service import email_key
from auth_service.admin.repository import AdminRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from intervai_shared.auth.dependencies import ADMIN
from intervai_shared.auth.revocations import Revocations
from intervai_shared.errors import NotFoundError
from intervai_shared.mongo import Mongo, Session


class AdminRoles:
    """The role is in the tokens, so it takes effect with the next one."""

    def __init__(self, mongo: Mongo, audit: AuditLog, revocations: Revocations) -> None:
        self._accounts = AccountRepository(mongo.db)
        self._roles = AdminRepository(mongo.db)
        self._mongo = mongo
        self._audit = audit
        self._revocations = revocations

    async def grant(self, email: str, caller: Caller) -> bool:
        """Makes an administrator; False when they are one. Raises NotFoundError: no account has this e-mail."""
        return await self._set(email, caller, has=True)

    async def revoke(self, email: str, caller: Caller) -> bool:
        """Takes the role away; False when they have it not. Tokens that say otherwise are refused at once; their owner
        gets others with the next refresh.

        Raises:
            NotFoundError: no account has this e-mail.
            redis.RedisError: the tokens live on, at most their 10 minutes.
        """
        return await self._set(email, caller, has=False)

    async def _set(self, email: str, caller: Caller, *, has: bool) -> bool:
        account = await self._accounts.by_email_key(email_key(email))
        if account is None:
            raise NotFoundError(f"No account has the e-mail {email}. Its owner must register first.")
        user = account["_id"]

        async def effect(session: Session) -> bool:
            changed = await self._roles.set_role(user, ADMIN, has=has, session=session)
            if changed:
                event = "role.granted" if has else "role.revoked"
                await self._audit.record(event, caller, user, session=session, role=ADMIN)
            return changed

        changed = await self._mongo.transaction(effect)
        if not has:
            await self._revocations.publish_user(user)
        return changed
