"""The rules of the second factor: on, off, and its recovery codes."""

from datetime import timedelta

from auth_service.accounts.repository import AccountRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard
from auth_service.letters.service import Letters
from auth_service.mfa import recovery_codes
from auth_service.mfa.repository import MfaRepository
from auth_service.mfa.totp import Authenticator
from intervai_shared.auth.principal import User
from intervai_shared.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session

#: How long a new secret waits for its first code.
PENDING_LIFE = timedelta(minutes=10)


class MfaService:
    """What a person does with their own second factor."""

    def __init__(
        self,
        accounts: AccountRepository,
        repository: MfaRepository,
        authenticator: Authenticator,
        audit: AuditLog,
        letters: Letters,
        outbox: Outbox,
        guard: LoginGuard,
    ) -> None:
        self._accounts = accounts
        self._repository = repository
        self._authenticator = authenticator
        self._audit = audit
        self._letters = letters
        self._outbox = outbox
        self._guard = guard

    async def status(self, user: User) -> Document:
        """As `MfaStatus` shows it."""
        mfa = (await self._account(user)).get("mfa", {})
        confirmed_at = mfa.get("totp", {}).get("confirmedAt")
        codes = mfa.get("recoveryCodes", [])
        return {"totp": "totp" in mfa, "confirmedAt": confirmed_at, "recoveryCodesLeft": len(codes)}

    async def set_up(self, user: User) -> Document:
        """A new secret, `{secret, otpauthUri}`, which counts once `confirm` has seen a code of it. One that was waiting
        is void. Raises ConflictError when the second factor is on."""
        account = await self._account(user)
        secret = self._authenticator.new_secret()
        sealed = self._authenticator.sealed(secret, user.id)
        if not await self._repository.set_pending(user.id, {"sealed": sealed, "expiresAt": utc_now() + PENDING_LIFE}):
            raise ConflictError("There is a second factor already. Switch it off first.")
        return {"secret": secret, "otpauthUri": self._authenticator.uri(secret, account["email"])}

    async def confirm(self, user: User, code: str, caller: Caller) -> list[str]:
        """Switches the second factor on and answers the recovery codes. The code is used up by it.

        Raises:
            ConflictError: no secret waits for a code, or it has waited for too long.
            InvalidError: the code is wrong.
            TooManyRequestsError: too many wrong ones.
        """
        account = await self._account(user)
        pending = account.get("mfa", {}).get("pending")
        if pending is None or pending["expiresAt"] <= utc_now():
            raise ConflictError("No second factor waits for its code. Please set one up.")
        step = await self._first_step(account, pending["sealed"], code, caller)
        codes = recovery_codes.new_codes()
        totp = {"sealed": pending["sealed"], "confirmedAt": utc_now(), "lastStep": step}
        mfa = {"totp": totp, "recoveryCodes": _hashes(codes)}

        async def effect(session: Session) -> None:
            if not await self._repository.confirm(user.id, pending["sealed"], mfa, session):
                raise ConflictError("The second factor was set up anew or switched on meanwhile.")
            await self._letters.post(session, "mfa-enabled", user.id, account["email"])
            await self._audit.record("mfa.enabled", caller, user.id, session=session)

        await self._outbox.transaction(effect)
        return codes

    async def switch_off(self, user: User, caller: Caller) -> None:
        """From now on the password is enough. Raises NotFoundError when it was enough before."""
        account = await self._account(user)

        async def effect(session: Session) -> None:
            if not await self._repository.remove(user.id, session):
                raise NotFoundError("There is no second factor.")
            await self._letters.post(session, "mfa-disabled", user.id, account["email"])
            await self._audit.record("mfa.disabled", caller, user.id, session=session)

        await self._outbox.transaction(effect)

    async def renew_codes(self, user: User, caller: Caller) -> list[str]:
        """Other recovery codes; the old ones are void. Raises NotFoundError: there is no second factor that they could
        stand for."""
        codes = recovery_codes.new_codes()

        async def effect(session: Session) -> None:
            if not await self._repository.set_recovery_codes(user.id, _hashes(codes), session):
                raise NotFoundError("There is no second factor.")
            await self._audit.record("mfa.recovery-codes-renewed", caller, user.id, session=session)

        await self._outbox.transaction(effect)
        return codes

    async def _first_step(self, account: Document, sealed: bytes, code: str, caller: Caller) -> int:
        """Guesses are counted: who has only a stolen token must not come to recovery codes by them."""
        step = self._authenticator.step(sealed, account["_id"], code)

        async def is_right() -> bool:
            return step is not None

        if not await self._guard.check("code", account["emailKey"], account, caller, is_right) or step is None:
            message = "is no code of now: please check the clock of the device"
            raise InvalidError([{"field": "code", "message": message}])
        return step

    async def _account(self, user: User) -> Document:
        account = await self._accounts.by_id(user.id)
        if account is None:
            raise UnauthenticatedError("The account does not exist any more.")
        return account


def _hashes(codes: list[str]) -> list[str]:
    return [recovery_codes.digest(code) for code in codes]
