import json
from pathlib import Path

from intervai_local.log_lines import render
from intervai_local.logs import Tail, belongs

REQUEST = {
    "timestamp": "2026-11-24T02:00:00.123456Z",
    "level": "warning",
    "event": "request",
    "service": "qa-service",
    "path": "/api/v1/sessions",
    "status": 404,
    "error": "not found",
}
ACCESS = {"RouterName": "qa-read@file", "RequestMethod": "GET", "RequestPath": "/x", "Duration": 2_300_000}


def test_a_json_line_becomes_readable() -> None:
    text = render("qa-service-1", json.dumps(REQUEST))
    assert text is not None
    expected = '02:00:00.123 qa-service-1      warning  request  path=/api/v1/sessions status=404 error="not found"'
    assert text.plain == expected


def test_other_lines_stay_as_they_are() -> None:
    text = render("valkey", "1:M * Ready to accept connections")
    assert text is not None
    assert text.plain == "valkey            1:M * Ready to accept connections"
    assert render("valkey", "  ") is None


def test_access_lines_show_only_server_errors() -> None:
    assert render("traefik", json.dumps({**ACCESS, "DownstreamStatus": 404})) is None
    text = render("traefik", json.dumps({**ACCESS, "DownstreamStatus": 502}))
    assert text is not None
    assert "GET /x 502" in text.plain
    assert "durationMs=2.3" in text.plain


def test_a_tail_gives_whole_lines_and_follows_rotation(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text("old\n")
    tail = Tail(file, from_end=True)
    with file.open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert tail.lines() == ["one"]
        log.write("o\n")
    assert tail.lines() == ["two"]
    file.rename(tmp_path / "a.log.1")
    file.write_text("fresh\n")
    assert tail.lines() == ["fresh"]


def test_names_choose_instances_and_kinds() -> None:
    assert belongs("qa-worker-2", "qa-worker")
    assert belongs("qa-worker-2", "qa-worker-2")
    assert belongs("mongo", "mongo")
    assert not belongs("qa-service-1", "qa-worker")
    assert not belongs("offline-llm", "offline")
