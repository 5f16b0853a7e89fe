"""The rules of e-mail addresses: confirmed by a letter, changed by a letter to the new one."""

from pymongo.errors import DuplicateKeyError

from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.service import email_key
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.events import UserEmailChanged
from auth_service.letters.service import Letters, LinkVoidError
from auth_service.recovery.requests import LetterRequests
from intervai_shared.auth.principal import User
from intervai_shared.errors import ConflictError, InvalidError, UnauthenticatedError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session


class EmailService:
    """An address counts as its owner's once they have followed the link of a letter to it."""

    def __init__(
        self,
        accounts: AccountRepository,
        letters: Letters,
        requests: LetterRequests,
        audit: AuditLog,
        outbox: Outbox,
    ) -> None:
        self._accounts = accounts
        self._letters = letters
        self._requests = requests
        self._audit = audit
        self._outbox = outbox

    async def resend(self, email: str, caller: Caller) -> None:
        """Another letter to confirm an address, if it has an account that needs it. Raises TooManyRequestsError."""
        await self._requests.post("verify-email", None, email, caller)

    async def ask_to_change(self, user: User, new_email: str, caller: Caller) -> None:
        """A letter to the new address, whose link makes the change. If it has an account already, it is told so, and
        the caller is told nothing.

        Raises:
            InvalidError: it is the account's address.
            UnauthenticatedError: the account is no more.
            TooManyRequestsError: too many letters were asked for.
        """
        account = await self._accounts.by_id(user.id)
        if account is None:
            raise UnauthenticatedError("The account does not exist any more.")
        if email_key(new_email) == account["emailKey"]:
            raise InvalidError([{"field": "newEmail", "message": "is your address already"}])
        await self._requests.post("change-email", user.id, new_email, caller)

    async def confirm(self, token: str, caller: Caller) -> Document:
        """The account whose address was confirmed: its own, or the new one that takes its place.

        Raises:
            LinkVoidError: the token is not good, or not any more.
            ConflictError: the new address has got an account meanwhile.
        """
        letter = await self._letters.open(token, "verify-email", "change-email")
        account = await self._accounts.by_id(letter["user"])
        if account is None:
            raise LinkVoidError

        async def effect(session: Session) -> None:
            await self._letters.use(letter, session)
            if letter["kind"] == "change-email":
                await self._change(account, letter["to"], caller, session)
            elif not await self._accounts.confirm_email(account["_id"], letter["to"], session):
                raise LinkVoidError
            else:
                await self._audit.record("email.verified", caller, account["_id"], session=session)

        try:
            await self._outbox.transaction(effect)
        except DuplicateKeyError as error:
            raise ConflictError("Another account uses this address now.") from error
        return await self._accounts.by_id(account["_id"]) or account

    async def _change(self, account: Document, email: str, caller: Caller, session: Session) -> None:
        """Links that were sent to the old address are void by it, since they are good for that address only."""
        if not await self._accounts.set_email(account["_id"], account["email"], email, email_key(email), session):
            raise LinkVoidError
        await self._outbox.add_event(session, account["_id"], UserEmailChanged(email=email))
        facts = {"at": utc_now(), "address": caller.address, "userAgent": caller.user_agent}
        await self._letters.post(session, "email-changed", account["_id"], account["email"], **facts)
        await self._audit.record("email.changed", caller, account["_id"], session=session)
