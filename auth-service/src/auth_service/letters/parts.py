"""What sends letters. Only the worker imports this, and with it the templates and the mail client."""

import base64

from auth_service.accounts.repository import AccountRepository
from auth_service.letters.repository import COLLECTION, LetterRepository
from auth_service.letters.sender import LetterSender
from auth_service.letters.smtp import Mailer
from auth_service.letters.tokens import LetterTokens
from auth_service.letters.writing import Writer
from auth_service.settings import AuthSettings
from auth_service.weekly_review.content import WeeklyContent
from auth_service.weekly_review.repository import SubscriberRepository
from auth_service.weekly_review.unsubscribing import Unsubscribing
from intervai_shared.jobs import JobRecords
from intervai_shared.resources import Resources


def open_sender(resources: Resources, settings: AuthSettings) -> LetterSender:
    """On the worker's resources."""
    db = resources.mongo.db
    master = base64.urlsafe_b64decode(settings.key_encryption_key.get_secret_value())
    subscribers = SubscriberRepository(db)
    unsubscribing = Unsubscribing(subscribers, resources.outbox, master, settings)
    return LetterSender(
        resources.mongo,
        JobRecords(db[COLLECTION], resources.live),
        LetterRepository(db),
        AccountRepository(db),
        LetterTokens(master),
        Writer(settings),
        Mailer(settings),
        {"weekly-review": WeeklyContent(resources.services, unsubscribing).of},
    )
