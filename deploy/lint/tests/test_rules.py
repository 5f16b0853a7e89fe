"""The rules see what they are there for, and nothing else."""

import runpy
from pathlib import Path

import pytest

RULES = runpy.run_path(str(Path(__file__).parents[1] / "rules.py"))


def found(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "service.py") -> list[str]:
    monkeypatch.setitem(RULES["findings"].__globals__, "ROOT", tmp_path)
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return list(RULES["findings"](file))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("make_export.send('1')", "send: a message goes out through the outbox"),
        ("broker.enqueue(message)", "enqueue: a message goes out through the outbox"),
        ("await jobs.find_one_and_update({}, {})", "find_one_and_update: the embedded Mongo engine scans"),
        ("await things.delete_many({})", "delete_many: a plain one waits for a transaction"),
        ("await things.update_many({}, {})", "update_many: a plain one waits for a transaction"),
        ("from starlette.middleware.base import BaseHTTPMiddleware", "BaseHTTPMiddleware: it breaks contextvars"),
        ("import os\nos.environ['X']", "environ: settings come from the settings class"),
    ],
)
def test_what_breaks_a_rule_is_found(text: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [rule in finding for finding in found(f"async def f():\n    {text.replace(chr(10), chr(10) + '    ')}\n",
                                                 tmp_path, monkeypatch)] == [True]  # fmt: skip


def test_the_relay_may_enqueue_and_asgi_may_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("broker.enqueue(message)", tmp_path, monkeypatch, "messaging/relay.py") == []
    assert found("things.delete_many({}, session=session)", tmp_path, monkeypatch) == []
    assert found("self._send(message)\nsend(message)\nemail_sender('x')", tmp_path, monkeypatch) == []
