"""The API of user-service."""

from fastapi import FastAPI

from intervai_shared.app import create_service_app
from intervai_shared.settings import load_settings
from user_service.container import open_container
from user_service.profiles import endpoints as profiles
from user_service.settings import UserSettings


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    return create_service_app(load_settings(UserSettings), open_container, [profiles.router])
