"""An application that tests use again is as good as a new one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from intervai_shared.app import create_service_app
from intervai_shared.settings import ServiceSettings, load_settings
from intervai_shared.testing import app_again, running

pytestmark = pytest.mark.usefixtures("own_database")  # sets what settings need


class ProbeSettings(ServiceSettings):
    service: str = "probe"


@dataclass
class Opened:
    """What a test's application holds."""

    settings: ServiceSettings


@asynccontextmanager
async def open_container(settings: ServiceSettings) -> AsyncIterator[Opened]:
    yield Opened(settings)


def create() -> FastAPI:
    return create_service_app(load_settings(ProbeSettings), open_container, [])  # type: ignore[arg-type]


def test_nobody_else_has_it_meanwhile_and_then_it_is_used_again() -> None:
    with app_again(create) as first, app_again(create) as second:
        assert first is not second
    with app_again(create) as third:
        assert third in {first, second}


async def test_it_is_opened_with_the_settings_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    with app_again(create) as before:
        pass
    monkeypatch.setenv("MONGO_DATABASE", "another")
    with app_again(create) as app:
        assert app is before
        async with running(app):
            assert app.state.container.settings.mongo_database == "another"


def test_with_another_size_of_bodies_it_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with app_again(create) as before:
        pass
    monkeypatch.setenv("MAX_BODY_BYTES", "2048")
    with app_again(create) as app:
        assert app is not before
        assert app.state.settings.max_body_bytes == 2048
