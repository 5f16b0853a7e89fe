"""The API of export-service."""

from fastapi import FastAPI

from export_service.container import open_container
from export_service.exports import bundle_endpoints as bundles
from export_service.exports import endpoints as exports
from export_service.privacy.holdings import HOLDINGS
from export_service.settings import ExportSettings
from intervai_shared.app import create_service_app
from intervai_shared.http.personal_data import personal_data_router
from intervai_shared.settings import load_settings


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    routers = [exports.router, bundles.router, personal_data_router(HOLDINGS)]
    return create_service_app(load_settings(ExportSettings), open_container, routers, public=exports.PUBLIC)
