"""One JSON line a happening, with no secret in it wherever it comes from."""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from intervai_shared.logs import redact

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
HIDDEN = "[redacted]"
SECRET = "do-not-print-me"

SCRIPT = f"""
import logging, structlog
from intervai_shared import context, logs
logs.configure("probe-service", "INFO")
log = structlog.get_logger()
context.request_id.set("request-123")
context.traceparent.set("00-" + "a" * 32 + "-" + "b" * 16 + "-01")
log.info("plain", count=3, nested={{"password": "{SECRET}", "list": ["Bearer {JWT}"]}})
log.debug("too fine")
def login(password):
    raise ValueError("cannot reach redis://:{SECRET}@host:6379/0 with {JWT}")
try:
    login("{SECRET}")
except ValueError:
    log.exception("failed")
    logging.getLogger("a.library").exception("failed too with %s", "{JWT}")
logging.getLogger("a.library").warning("library", extra={{"api_key": "{SECRET}"}})
logging.getLogger("httpx").info("GET https://host/?token={SECRET}")
log.info("odd", value=object(), raw=b"{JWT}", also={{1, 2}})
"""


@pytest.fixture(scope="module")
def lines() -> dict[str, dict[str, Any]]:
    """What a process writes, by event; each line is JSON."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert SECRET not in run.stdout
    assert JWT not in run.stdout
    found = [json.loads(line) for line in run.stdout.splitlines()]
    return {line["event"]: line for line in found}


def test_a_line_has_time_level_service_and_the_requests_ids(lines: dict[str, dict[str, Any]]) -> None:
    line = lines["plain"]
    assert (line["level"], line["service"], line["requestId"], line["traceId"], line["count"]) == (
        "info",
        "probe-service",
        "request-123",
        "a" * 32,
        3,
    )
    assert line["timestamp"].endswith("Z")


def test_an_exception_is_one_line_with_its_frames_and_no_local_variables(lines: dict[str, dict[str, Any]]) -> None:
    for event in ("failed", f"failed too with {HIDDEN}"):
        (raised,) = lines[event]["exception"]
        assert raised["exc_type"] == "ValueError"
        assert raised["exc_value"] == f"cannot reach redis://{HIDDEN}@host:6379/0 with {HIDDEN}"
        assert raised["frames"][-1]["name"] == "login"
        assert "locals" not in raised["frames"][-1]


def test_libraries_write_through_the_same_processors(lines: dict[str, dict[str, Any]]) -> None:
    assert lines["library"]["api_key"] == HIDDEN
    assert lines["library"]["service"] == "probe-service"


def test_chatty_libraries_and_finer_levels_are_quiet(lines: dict[str, dict[str, Any]]) -> None:
    assert set(lines) == {"plain", "failed", f"failed too with {HIDDEN}", "library", "odd"}


@pytest.mark.parametrize(
    "key",
    ["password", "newPassword", "client_secret", "accessToken", "Authorization", "Set-Cookie", "apiKey", "api_key",
     "private_key"],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", [SECRET, SECRET.encode(), [SECRET], {"inner": SECRET}, {"a": [{"b": SECRET}]}, (SECRET,)]
)
def test_whatever_is_under_a_secret_key_is_blanked(key: str, value: Any) -> None:
    assert SECRET not in str(redact(None, "info", {key: value, "outer": {key: value}, "rows": [{key: value}]}))


def test_numbers_under_such_keys_stay_since_they_count_things() -> None:
    event = {"tokens": 512, "password_tries": 3, "token_valid": True, "secret": None}
    assert redact(None, "info", dict(event)) == event


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Bearer {JWT}", f"Bearer {HIDDEN}"),
        (f"{JWT},{JWT}", f"{HIDDEN},{HIDDEN}"),
        ("mongodb://user:pass@host:1/db?x=1", f"mongodb://{HIDDEN}@host:1/db?x=1"),
        ("redis://:p@ss@host/0", f"redis://{HIDDEN}@host/0"),
        ("two amqp://a:b@c and smtp://d:e@f", f"two amqp://{HIDDEN}@c and smtp://{HIDDEN}@f"),
        ("https://host/path?mail=a@b", "https://host/path?mail=a@b"),
        ("ada@example.com wrote eyJust a word", "ada@example.com wrote eyJust a word"),
    ],
)
def test_a_secret_is_known_by_its_shape_in_any_text(text: str, left: str) -> None:
    assert redact(None, "info", {"event": text, "deep": [{"text": text}]}) == {"event": left, "deep": [{"text": left}]}


def test_objects_that_turn_into_text_are_looked_through() -> None:
    event = {"url": httpx.URL(f"redis://user:{SECRET}@host/0"), "error": ValueError(JWT), "raw": JWT.encode()}
    told = {key: str(value) for key, value in redact(None, "info", event).items()}
    assert SECRET not in str(told)
    assert JWT not in str(told)
    assert str(redact(None, "info", {"setting": SecretStr(SECRET)})["setting"]) == "**********"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="ascii"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("xyz"), values))
def test_what_holds_no_secret_is_left_as_it_is(event: dict[str, Any]) -> None:
    assert redact(None, "info", dict(event)) == event
