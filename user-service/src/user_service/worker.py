"""The worker of user-service: applies the events that it has subscribed to, forgets old copies of profiles."""

from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.settings import load_settings
from user_service.container import UserContainer, open_container
from user_service.events import EVENTS
from user_service.profiles import tasks as profiles
from user_service.profiles.service import QUEUE
from user_service.settings import UserSettings


def create_worker() -> ServiceWorker[UserSettings, UserContainer]:
    """Reads the settings from the environment."""
    worker = ServiceWorker(load_settings(UserSettings), open_container, threads=4, events=EVENTS)
    worker.actor(profiles.forget_profile, QUEUE)
    worker.on_events(profiles.event_handlers)
    return worker
