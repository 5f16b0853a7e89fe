"""The rules of new passwords: by the old one, or by a letter."""

import asyncio
from contextlib import suppress
from functools import partial

from bson import ObjectId
from redis.exceptions import RedisError

from auth_service.accounts.password_rules import check_password
from auth_service.accounts.passwords import PasswordHasher
from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.service import email_key
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard
from auth_service.letters.kinds import LetterKind
from auth_service.letters.service import Letters, LinkVoidError
from auth_service.mfa.repository import MfaRepository
from auth_service.recovery.requests import LetterRequests
from auth_service.recovery.tasks import QUEUE
from auth_service.sessions.service import SessionService
from intervai_shared.auth.principal import User
from intervai_shared.errors import InvalidError, UnauthenticatedError
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session

#: What a new password makes void.
LINKS: tuple[LetterKind, ...] = ("reset-password", "change-email")
#: As the request's schemas have it on the wire.
FIELD = "newPassword"


class PasswordService:
    """With a new password all sessions end that were opened with the old one, and all links are void to set one or to
    change the address: who was in before is out."""

    def __init__(
        self,
        accounts: AccountRepository,
        passwords: PasswordHasher,
        sessions: SessionService,
        letters: Letters,
        requests: LetterRequests,
        audit: AuditLog,
        outbox: Outbox,
        guard: LoginGuard,
        factors: MfaRepository,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions
        self._letters = letters
        self._requests = requests
        self._audit = audit
        self._outbox = outbox
        self._guard = guard
        self._factors = factors

    async def forgot(self, email: str, caller: Caller) -> None:
        """A letter with a link to set a new password, if the address has an account. Raises TooManyRequestsError."""
        await self._requests.post("reset-password", None, email, caller)

    async def reset(self, token: str, new: str, caller: Caller) -> None:
        """A new password by a letter, which also confirms the address that the letter came to, and lets in again who
        was locked out after wrong passwords. A second factor stays on, unless nobody had shown before that the address
        is theirs: then it is of whoever took another's address, and would keep the owner out.

        Raises:
            LinkVoidError: the token is not good, or not any more.
            InvalidError: the password is one of those that everybody tries.
        """
        letter = await self._letters.open(token, "reset-password")
        await asyncio.to_thread(check_password, new, letter["to"], FIELD)
        new_hash = await self._passwords.hash(new)
        # Once more: of many uses at once, those that came too late need not wait for each other in transactions.
        letter = await self._letters.open(token, "reset-password")
        user, to = letter["user"], letter["to"]

        async def effect(session: Session) -> None:
            await self._letters.use(letter, session)
            is_first_proof = await self._accounts.is_unconfirmed(user, session)
            if not await self._accounts.confirm_email(user, to, session):
                raise LinkVoidError
            await self._store(user, to, new_hash, caller, session, how="letter")
            if is_first_proof and await self._factors.remove(user, session):
                await self._audit.record("mfa.disabled", caller, user, session=session)

        await self._outbox.transaction(effect)
        await self._end_sessions(user)
        with suppress(RedisError):  # then the lock ends by itself
            await self._guard.lift("password", email_key(to), caller)

    async def change(self, user: User, current: str, new: str, caller: Caller) -> None:
        """A new password by the old one. The caller's session goes on.

        Raises:
            UnauthenticatedError: the current password is wrong, or the account is no more.
            InvalidError: the new password is the old one, or one of those that everybody tries.
            TooManyRequestsError: too many wrong ones, here or at log-in.
        """
        account = await self._verified(user, current, caller)
        if new == current:
            raise InvalidError([{"field": FIELD, "message": "is the old password"}])
        await asyncio.to_thread(check_password, new, account["email"], FIELD)
        new_hash = await self._passwords.hash(new)

        async def effect(session: Session) -> None:
            await self._store(user.id, account["email"], new_hash, caller, session, how="password")

        await self._outbox.transaction(effect)
        await self._end_sessions(user.id, keep=user.session_id)

    async def _verified(self, user: User, password: str, caller: Caller) -> Document:
        account = await self._accounts.by_id(user.id)
        if account is None:
            raise UnauthenticatedError("The account does not exist any more.")
        is_right = partial(self._passwords.verify, account["passwordHash"], password)
        if not await self._guard.check("password", account["emailKey"], account, caller, is_right):
            await self._audit.record("password.changed", caller, user.id, succeeded=False)
            raise UnauthenticatedError("The current password is wrong.")
        return account

    async def _store(
        self, user: ObjectId, to: str, new_hash: str, caller: Caller, session: Session, *, how: str
    ) -> None:
        await self._accounts.set_password(user, new_hash, session)
        for kind in LINKS:
            await self._letters.void(user, kind, session)
        facts = {"at": utc_now(), "address": caller.address, "userAgent": caller.user_agent}
        await self._letters.post(session, "password-changed", user, to, **facts)
        await self._audit.record("password.changed", caller, user, session=session, how=how)

    async def _end_sessions(self, user: ObjectId, keep: str | None = None) -> None:
        """The password is changed by now, so no refresh works any more. Without Redis the rest is done when it is back:
        to answer an error would have people try again with a link that is spent."""
        try:
            await self._sessions.end_all(user, keep=keep)
        except RedisError as error:
            log.warning("sessions will be ended when Redis is back", userId=str(user), error=repr(error))
            await self._outbox.transaction(
                lambda session: self._outbox.add_job(session, "end_sessions", QUEUE, str(user), keep)
            )
