"""Ends the weekly letters of a person by one click in their mail program, without a log-in (RFC 8058)."""

from bson import ObjectId

from auth_service.events import UserUnsubscribed
from auth_service.letters.tokens import LetterTokens
from auth_service.settings import AuthSettings
from auth_service.weekly_review.repository import SubscriberRepository
from intervai_shared.errors import NotFoundError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.mongo import Session

#: Where a mail program posts to, with the token behind it.
PATH = "/api/v1/auth/letters/unsubscribe"


class Unsubscribing:
    """A token is the same in all letters of a person and good for ever: people unsubscribe by old letters, and it does
    nothing but that."""

    def __init__(
        self, subscribers: SubscriberRepository, outbox: Outbox, master_key: bytes, settings: AuthSettings
    ) -> None:
        self._subscribers = subscribers
        self._outbox = outbox
        self._tokens = LetterTokens(master_key, b"unsubscribe-token")
        self._api_url = settings.api_url.rstrip("/")
        self.preferences_page = f"{settings.app_url.rstrip('/')}/preferences"

    def link(self, user: ObjectId) -> str | None:
        """What the letter tells the mail program. None: where the API is reached from outside is not set."""
        return f"{self._api_url}{PATH}/{self._tokens.of(user)}" if self._api_url else None

    def check(self, token: str) -> ObjectId:
        """Whose letter held the token. Raises NotFoundError: it is not genuine."""
        user = self._tokens.id_in(token)
        if user is None:
            raise NotFoundError
        return user

    async def unsubscribe(self, token: str) -> None:
        """Sends this person no more of the letters, and has user-service change the preference by `user.unsubscribed`.
        A no-op for who gets none. Raises NotFoundError: the token is not genuine."""
        user = self.check(token)

        async def effect(session: Session) -> None:
            if await self._subscribers.remove(user, session):
                await self._outbox.add_event(session, user, UserUnsubscribed(letter="weeklyReview"))

        await self._outbox.transaction(effect)
