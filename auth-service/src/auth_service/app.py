"""The API of auth-service."""

from fastapi import FastAPI

from auth_service.accounts import endpoints as accounts
from auth_service.clients import endpoints as clients
from auth_service.container import open_container
from auth_service.keys import endpoints as keys
from auth_service.settings import AuthSettings
from intervai_shared.app import create_service_app
from intervai_shared.settings import load_settings

PUBLIC = frozenset(
    {
        "/api/v1/auth/register",
        "/api/v1/auth/login",
        "/api/v1/auth/refresh",
        "/.well-known/jwks.json",
        "/internal/token",  # asks with its own secret; never routed on the public entry point
    }
)


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    routers = [accounts.router, keys.router, clients.router]
    return create_service_app(load_settings(AuthSettings), open_container, routers, public=PUBLIC)
