"""Settings come from the environment, and a wrong one stops the start with one line that never shows a value."""

import os
import pickle

import pytest
from pydantic import SecretStr, ValidationError

from intervai_shared.settings import ServiceSettings, load_settings

SECRET = "do-not-print-me-0123456789"


class Settings(ServiceSettings):
    """As a service has them."""

    service: str = "probe-service"
    clients: dict[str, SecretStr] = {}


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's, and what each service has of its own: each test spoils one thing of it."""
    for name in ("MONGO_DATABASE", "SERVICE_CLIENT_ID", "SERVICE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "probe")


def refusal() -> str:
    """The text with which the process would stop."""
    with pytest.raises(SystemExit) as caught:
        load_settings(Settings)
    return str(caught.value.code)


def test_a_good_environment_loads() -> None:
    settings = load_settings(Settings)
    assert settings.mongo_database == "probe"
    assert settings.redis_url.get_secret_value() == os.environ["REDIS_URL"]


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONGO_URI")
    assert refusal() == "Settings: cannot start, wrong settings: MONGO_URI: Field required"


def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_CLIENT_SECRET", "")
    assert "SERVICE_CLIENT_SECRET: Field required" in refusal()


@pytest.mark.parametrize(
    "name", ["PORT", "LOG_LEVEL", "MONGO_TIMEOUT_MS", "RATE_LIMIT_SCALE", "DRAIN_SECONDS", "CLIENTS"]
)
def test_a_wrong_variable_is_named_in_one_line_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    line = refusal()
    assert f"{name}: " in line
    assert "\n" not in line
    assert SECRET not in line


def test_a_wrong_value_inside_of_a_structure_is_named_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENTS", f'{{"export-service": ["{SECRET}"]}}')
    line = refusal()
    assert "CLIENTS.EXPORT-SERVICE: " in line
    assert SECRET not in line


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONGO_URI")
    monkeypatch.setenv("PORT", "0")
    line = refusal()
    assert "MONGO_URI: " in line
    assert "PORT: " in line


def test_no_secret_shows_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGO_URI", "MONGO_READ_URI", "REDIS_URL", "SERVICE_CLIENT_SECRET"):
        monkeypatch.setenv(name, f"redis://user:{SECRET}@host/0")
    monkeypatch.setenv("CLIENTS", f'{{"export-service": "{SECRET}"}}')
    settings = load_settings(Settings)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET.encode() in pickle.dumps(settings)  # it is there all the same


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(ValidationError):
        load_settings(Settings).port = 1  # type: ignore[misc]  # that is the point


def test_a_rate_limit_that_is_none_stops_the_start(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_GENERAL", "often")
    with pytest.raises(SystemExit, match="RATE_LIMIT_GENERAL"):
        load_settings(Settings)
