"""To show again who one is, for what a token alone must not be enough for (RFC 9470)."""

from functools import partial

from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.repository import AccountRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard
from auth_service.mfa.schemas import Reauthentication
from auth_service.mfa.second_factor import SecondFactor, is_on
from auth_service.sessions.service import SessionService, refuse_locked
from intervai_shared.auth.principal import User
from intervai_shared.errors import InvalidError, UnauthenticatedError
from intervai_shared.models import Document

#: Its name in the audit log.
EVENT = "reauthenticated"


class StepUp:
    """Takes the strongest that an account has: a code where there is a second factor, else the password."""

    def __init__(
        self,
        accounts: AccountRepository,
        sessions: SessionService,
        passwords: PasswordHasher,
        factor: SecondFactor,
        audit: AuditLog,
        guard: LoginGuard,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._factor = factor
        self._audit = audit
        self._guard = guard

    async def reauthenticate(self, user: User, proof: Reauthentication, caller: Caller) -> Document:
        """`{accessToken, expiresIn}`, with a fresh `auth_time`.

        Raises:
            InvalidError: a password where a code is needed, or the other way round.
            UnauthenticatedError: a wrong one, or the account or session is no more.
            TooManyRequestsError: too many wrong ones.
        """
        account = await self._accounts.by_id(user.id)
        if account is None:
            raise UnauthenticatedError("The account does not exist any more.")
        refuse_locked(account)
        if is_on(account):
            how = await self._by_code(account, proof, caller)
        else:
            how = await self._by_password(account, proof, caller)
        tokens = await self._sessions.prove_again(account, user)
        await self._audit.record(EVENT, caller, user.id, how=how)
        return tokens

    async def _by_code(self, account: Document, proof: Reauthentication, caller: Caller) -> str:
        if proof.password is not None:
            message = "is not enough for an account with a second factor: send code or recoveryCode"
            raise InvalidError([{"field": "password", "message": message}])
        return await self._factor.check(account, proof, caller, EVENT)

    async def _by_password(self, account: Document, proof: Reauthentication, caller: Caller) -> str:
        if proof.password is None:
            message = "is needed, since the account has no second factor"
            raise InvalidError([{"field": "password", "message": message}])
        is_right = partial(self._passwords.verify, account["passwordHash"], proof.password)
        if not await self._guard.check("password", account["emailKey"], account, caller, is_right):
            await self._audit.record(EVENT, caller, account["_id"], succeeded=False, how="password")
            raise UnauthenticatedError("The password is wrong.")
        return "password"
