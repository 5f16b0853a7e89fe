"""The API of user-service."""

from fastapi import FastAPI

from intervai_shared.app import create_service_app
from intervai_shared.http.personal_data import personal_data_router
from intervai_shared.settings import load_settings
from user_service.api_reference import endpoints as api_reference
from user_service.avatars import endpoints as avatars
from user_service.container import open_container
from user_service.notifications import endpoints as notifications
from user_service.preferences import endpoints as preferences
from user_service.privacy import endpoints as privacy
from user_service.privacy.holdings import HOLDINGS
from user_service.profiles import endpoints as profiles
from user_service.settings import UserSettings


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    routers = [domain.router for domain in (profiles, preferences, avatars, notifications, privacy, api_reference)]
    routers.append(personal_data_router(HOLDINGS))
    public = privacy.PUBLIC | api_reference.PUBLIC
    return create_service_app(load_settings(UserSettings), open_container, routers, public=public)
