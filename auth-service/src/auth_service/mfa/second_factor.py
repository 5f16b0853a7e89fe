"""Checks a code of somebody who has a second factor."""

from functools import partial
from typing import Literal

from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard
from auth_service.mfa.recovery_codes import digest
from auth_service.mfa.repository import MfaRepository
from auth_service.mfa.schemas import SecondFactorProof
from auth_service.mfa.totp import Authenticator
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.models import Document

How = Literal["totp", "recovery-code"]


def is_on(account: Document) -> bool:
    """Whether the account has a second factor: its log-in takes a code too."""
    return "totp" in account.get("mfa", {})


class SecondFactor:
    """A right code is used up by the check: it is not right again."""

    def __init__(
        self, repository: MfaRepository, authenticator: Authenticator, audit: AuditLog, guard: LoginGuard
    ) -> None:
        self._repository = repository
        self._authenticator = authenticator
        self._audit = audit
        self._guard = guard

    async def check(self, account: Document, proof: SecondFactorProof, caller: Caller, event: str) -> How:
        """What the proof was. `event` is what it was given for, as the audit log names it.

        Raises:
            UnauthenticatedError: wrong, or used before: the same answer, and a line in the audit log.
            TooManyRequestsError: too many wrong ones.
        """
        how: How = "totp" if proof.code is not None else "recovery-code"
        is_right = partial(self._use, account, proof)
        if not await self._guard.check("code", account["emailKey"], account, caller, is_right):
            await self._audit.record(event, caller, account["_id"], succeeded=False, how=how)
            raise UnauthenticatedError("The code is wrong or was used before.")
        return how

    async def _use(self, account: Document, proof: SecondFactorProof) -> bool:
        if not is_on(account):
            return False
        if proof.recovery_code is not None:
            return await self._repository.use_recovery_code(account["_id"], digest(proof.recovery_code))
        sealed = account["mfa"]["totp"]["sealed"]
        step = self._authenticator.step(sealed, account["_id"], proof.code or "")
        return step is not None and await self._repository.use_step(account["_id"], sealed, step)
