"""Letters that people ask for: the request writes one line and is done, whoever the address belongs to."""

from bson import ObjectId

from auth_service.accounts.service import email_key
from auth_service.caller import Caller
from auth_service.letters.kinds import LetterKind
from auth_service.letters.service import Letters
from auth_service.settings import AuthSettings
from intervai_shared.resources import Resources


class LetterRequests:
    """Limited, so that nobody fills another's mailbox by us."""

    def __init__(self, letters: Letters, resources: Resources) -> None:
        assert isinstance(resources.settings, AuthSettings)  # noqa: S101  narrows the type for mypy
        self._letters = letters
        self._resources = resources
        self._rule = resources.settings.rate_limit_email

    async def post(self, kind: LetterKind, user: ObjectId | None, to: str, caller: Caller) -> None:
        """See `Letters.post`. Raises TooManyRequestsError: by this caller's address, or for this address of mail."""
        for who in (f"address:{caller.address}", f"account:{email_key(to)}"):
            await self._resources.limits.hit("email", self._rule, who)
        await self._resources.outbox.transaction(lambda session: self._letters.post(session, kind, user, to))
