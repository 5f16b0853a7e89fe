"""The worker of auth-service: sends its events and letters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth_service.accounts import tasks as accounts
from auth_service.container import AuthContainer, open_container
from auth_service.events import EVENTS
from auth_service.keys import tasks as keys
from auth_service.letters import tasks as letters
from auth_service.letters.parts import open_sender
from auth_service.letters.repository import COLLECTION as LETTERS
from auth_service.letters.sender import LetterSender
from auth_service.letters.service import QUEUE as LETTER_QUEUE
from auth_service.recovery import tasks as recovery
from auth_service.settings import AuthSettings
from auth_service.weekly_review import tasks as weekly_review
from auth_service.weekly_review.repository import SubscriberRepository
from auth_service.weekly_review.service import WeeklyReviews
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.privacy import tasks as privacy
from intervai_shared.settings import load_settings

SUBSCRIBERS = {
    "user.registered": ["user-service"],
    "user.new-device": ["user-service"],
    "user.email-changed": ["user-service"],
    "user.unsubscribed": ["user-service"],
    "user.erased": ["user-service"],
}


#: Letters wait for a mail server, so there are more jobs at a time than the processor could do.
THREADS = 8


@dataclass(frozen=True)
class AuthWorker(AuthContainer):
    """What a worker process holds: what an API process does, and what sends letters."""

    sender: LetterSender
    weekly_reviews: WeeklyReviews


@asynccontextmanager
async def open_worker(settings: AuthSettings) -> AsyncIterator[AuthWorker]:
    """Opens everything."""
    async with open_container(settings) as container:
        resources = container.resources
        subscribers = SubscriberRepository(resources.mongo.db)
        yield AuthWorker(
            **vars(container),
            sender=open_sender(resources, settings),
            weekly_reviews=WeeklyReviews(subscribers, container.letters, resources.outbox),
        )


def create_worker() -> ServiceWorker[AuthSettings, AuthWorker]:
    """Reads the settings from the environment."""
    settings = load_settings(AuthSettings)
    worker = ServiceWorker(settings, open_worker, threads=THREADS, events=EVENTS, subscribers=SUBSCRIBERS)
    worker.actor(letters.send_letter, LETTER_QUEUE, records=LETTERS, bulk=True)
    worker.actor(weekly_review.post_weekly_reviews, LETTER_QUEUE, bulk=True)
    worker.actor(recovery.end_sessions, recovery.QUEUE)
    privacy.declare(worker)
    worker.on_events(lambda container: {**accounts.event_handlers(container), **privacy.handlers(container)})
    worker.scheduled(keys.rotate_keys, "15 3 * * *")
    worker.scheduled(weekly_review.send_weekly_reviews, settings.weekly_review_cron)
    return worker
