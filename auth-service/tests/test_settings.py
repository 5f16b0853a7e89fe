"""Promises of the settings: a wrong one stops the start with one line that names it and tells no secret."""

import base64
import json
import os

import pytest

from auth_service.settings import AuthSettings
from intervai_shared.settings import load_settings


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("KEY_ENCRYPTION_KEY", "", "required"),
        ("KEY_ENCRYPTION_KEY", "not-base64url-é", "base64url"),
        ("KEY_ENCRYPTION_KEY", "c2hvcnQtc2VjcmV0LWtleQ==", "32 bytes"),
        ("SERVICE_CLIENTS", "", "required"),
        ("SERVICE_CLIENTS", '["a-secret"]', "dictionary"),
        ("SERVICE_CLIENTS", '{"qa-service": ["a-secret"]}', "string"),
        ("REFRESH_IDLE_SECONDS", "7", "greater"),
        ("REFRESH_GRACE_SECONDS", "-1", "greater"),
        ("ACCESS_TOKEN_TTL_SECONDS", "86400", "less"),
        ("PASSWORD_WORKERS", "0", "greater"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    own_database: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        load_settings(AuthSettings)
    line = str(stopped.value)
    assert line.startswith(f"AuthSettings: cannot start, wrong settings: {variable}")
    assert complaint in line
    assert "\n" not in line
    assert not value or value not in line
    assert "a-secret" not in line


def test_too_little_memory_for_the_lanes_of_argon2_is_told_at_the_start(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGON2_MEMORY_KIB", "8")
    with pytest.raises(SystemExit, match="ARGON2_MEMORY_KIB"):
        load_settings(AuthSettings)


def test_every_wrong_setting_is_named_at_once(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_ENCRYPTION_KEY", "abc")
    monkeypatch.delenv("SERVICE_CLIENTS")
    with pytest.raises(SystemExit, match=r"KEY_ENCRYPTION_KEY.*SERVICE_CLIENTS"):
        load_settings(AuthSettings)


def test_printed_settings_show_no_secret(settings: AuthSettings) -> None:
    printed = repr(settings) + str(settings)
    secrets = [os.environ["KEY_ENCRYPTION_KEY"], *json.loads(os.environ["SERVICE_CLIENTS"]).values()]
    for secret in [*secrets, os.environ["REDIS_URL"]]:
        assert secret not in printed


def test_the_password_hash_is_as_rfc_9106_recommends_by_default(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARGON2_TIME_COST", raising=False)
    monkeypatch.delenv("ARGON2_MEMORY_KIB", raising=False)
    settings = load_settings(AuthSettings)
    assert (settings.argon2_time_cost, settings.argon2_memory_kib, settings.argon2_parallelism) == (3, 65_536, 4)


def test_a_key_of_32_bytes_is_taken_whatever_they_are(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in (bytes(32), b"\xff" * 32):
        monkeypatch.setenv("KEY_ENCRYPTION_KEY", base64.urlsafe_b64encode(raw).decode())
        load_settings(AuthSettings)
