"""The API of auth-service."""

from fastapi import FastAPI

from auth_service.accounts import endpoints as accounts
from auth_service.admin import endpoints as admin
from auth_service.audit import endpoints as audit
from auth_service.clients import endpoints as clients
from auth_service.container import open_container
from auth_service.keys import endpoints as keys
from auth_service.mfa import endpoints as mfa
from auth_service.privacy.holdings import HOLDINGS
from auth_service.recovery import endpoints as recovery
from auth_service.sessions import endpoints as sessions
from auth_service.settings import AuthSettings
from auth_service.weekly_review import endpoints as weekly_review
from intervai_shared.app import create_service_app
from intervai_shared.http.personal_data import personal_data_router
from intervai_shared.settings import load_settings

PUBLIC = frozenset(
    {
        "/api/v1/auth/register",
        "/api/v1/auth/login",
        "/api/v1/auth/refresh",
        "/api/v1/auth/email/verify",
        "/api/v1/auth/email/resend",
        "/api/v1/auth/password/forgot",
        "/api/v1/auth/password/reset",
        "/api/v1/auth/mfa/totp/verify",
        "/.well-known/jwks.json",
        "/internal/token",  # asks with its own secret; never routed on the public entry point
    }
    | weekly_review.PUBLIC
)


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    routers = [
        domain.router for domain in (accounts, mfa, sessions, recovery, audit, admin, keys, clients, weekly_review)
    ]
    routers.append(personal_data_router(HOLDINGS))
    return create_service_app(load_settings(AuthSettings), open_container, routers, public=PUBLIC, keeps_answers=False)
