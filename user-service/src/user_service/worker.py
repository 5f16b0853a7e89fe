"""The worker of user-service: applies the events that it has subscribed to, forgets old copies of profiles, announces
notifications, sweeps former avatars."""

from collections.abc import Mapping

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.settings import load_settings
from user_service.avatars import tasks as avatars
from user_service.container import UserContainer, open_container
from user_service.events import ERASING_SERVICES, EVENTS
from user_service.notifications import tasks as notifications
from user_service.notifications.service import QUEUE as NOTIFICATIONS_QUEUE
from user_service.preferences import tasks as preferences
from user_service.privacy import tasks as privacy
from user_service.profiles import tasks as profiles
from user_service.profiles.service import QUEUE
from user_service.settings import UserSettings

SUBSCRIBERS = {
    "preferences.changed": ["auth-service"],
    "user.deleted": ERASING_SERVICES,
    "user.erased": ["user-service"],
}


def event_handlers(container: UserContainer) -> Mapping[str, EventHandler]:
    """Of all domains, by event type."""
    domains = (profiles, preferences, notifications, privacy)
    return {kind: handler for domain in domains for kind, handler in domain.event_handlers(container).items()}


def create_worker() -> ServiceWorker[UserSettings, UserContainer]:
    """Reads the settings from the environment."""
    settings = load_settings(UserSettings)
    worker = ServiceWorker(settings, open_container, threads=4, events=EVENTS, subscribers=SUBSCRIBERS)
    worker.actor(profiles.forget_profile, QUEUE)
    worker.actor(notifications.announce_notification, NOTIFICATIONS_QUEUE)
    worker.scheduled(avatars.sweep_avatars, "20 * * * *")
    privacy.declare(worker)
    worker.on_events(event_handlers)
    return worker
