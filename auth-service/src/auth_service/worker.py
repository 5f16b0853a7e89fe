"""The worker of auth-service: sends its events."""

from auth_service.container import AuthContainer, open_container
from auth_service.events import EVENTS
from auth_service.settings import AuthSettings
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.settings import load_settings

SUBSCRIBERS = {"user.registered": ["user-service"]}


def create_worker() -> ServiceWorker[AuthSettings, AuthContainer]:
    """Reads the settings from the environment."""
    settings = load_settings(AuthSettings)
    return ServiceWorker(settings, open_container, threads=2, events=EVENTS, subscribers=SUBSCRIBERS)
