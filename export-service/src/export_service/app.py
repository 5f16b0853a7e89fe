"""The API of export-service."""

from fastapi import FastAPI

from export_service.container import open_container
from export_service.exports import endpoints as exports
from export_service.settings import ExportSettings
from intervai_shared.app import create_service_app
from intervai_shared.settings import load_settings


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    return create_service_app(load_settings(ExportSettings), open_container, [exports.router])
