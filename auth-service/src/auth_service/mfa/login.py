"""The second step of a log-in."""

from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.schemas import TokenMode
from auth_service.caller import Caller
from auth_service.mfa.challenges import LIFE_SECONDS, Challenge, MfaChallenges, over
from auth_service.mfa.schemas import MfaRequired, SecondStep
from auth_service.mfa.second_factor import SecondFactor, is_on
from auth_service.sessions.service import SessionService, refuse_locked
from intervai_shared.models import Document


class TwoStepLogin:
    """Between the two steps there is no session: only a challenge, which the right code uses up."""

    def __init__(
        self, accounts: AccountRepository, challenges: MfaChallenges, factor: SecondFactor, sessions: SessionService
    ) -> None:
        self._accounts = accounts
        self._challenges = challenges
        self._factor = factor
        self._sessions = sessions

    async def begin(self, account: Document, token_mode: TokenMode) -> MfaRequired:
        """The second step that somebody is asked for whose password was right.

        Raises:
            UnauthenticatedError: the account is locked.
            redis.RedisError: Redis does not answer.
        """
        refuse_locked(account)
        token = await self._challenges.open(account["_id"], token_mode, account.get("sessionsEpoch", 0))
        return MfaRequired(mfa_required=True, mfa_token=token, expires_in=LIFE_SECONDS)

    async def finish(self, step: SecondStep, caller: Caller) -> tuple[Document, Document, TokenMode]:
        """`(account, tokens, token mode of the first step)`. The account is read again: much can have happened to it
        since the password was typed.

        Raises:
            UnauthenticatedError: a wrong code, or the log-in is over: too old, tried too often, finished, the password
                changed or all sessions ended meanwhile, the account locked or gone.
        """
        challenge = await self._challenges.attempt(step.mfa_token)
        account = await self._account(challenge)
        how = await self._factor.check(account, step, caller, "login")
        if not await self._challenges.close(step.mfa_token):  # another code has finished it at the same moment
            raise over()
        return account, await self._sessions.sign_in(account, caller, how), challenge.token_mode

    async def _account(self, challenge: Challenge) -> Document:
        account = await self._accounts.by_id(challenge.user)
        if account is None or account.get("sessionsEpoch", 0) != challenge.epoch or not is_on(account):
            raise over()
        refuse_locked(account)
        return account
