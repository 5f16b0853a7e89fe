"""Makes one log line readable."""

import json
from typing import Any

from rich.text import Text

COLOURS = ("cyan", "magenta", "green", "blue", "yellow", "bright_cyan", "bright_magenta", "bright_green")
LEVELS = {
    "debug": "dim",
    "info": "green",
    "warning": "yellow",
    "warn": "yellow",
    "error": "red",
    "critical": "bold red",
}
# Keys that have a place of their own in a line, under the names that services and Traefik give them.
PLACED = {"timestamp", "time", "level", "event", "message", "msg", "service"}


def render(name: str, line: str) -> Text | None:
    """A log line for people: time, process, level, event, then `key=value`; None for what tells nothing."""
    colour = COLOURS[sum(map(ord, name)) % len(COLOURS)]
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return Text.assemble((f"{name:17} ", colour), line) if line.strip() else None
    if "RouterName" in record or "DownstreamStatus" in record:
        record = access_record(record)
        if record is None:
            return None
    level = str(record.get("level", "info")).lower()
    event = str(record.get("event") or record.get("message") or record.get("msg") or "")
    moment = str(record.get("timestamp") or record.get("time") or "")[11:23]
    rest = [f"{key}={value(item)}" for key, item in record.items() if key not in PLACED]
    return Text.assemble(
        (f"{moment:12} ", "dim"),
        (f"{name:17} ", colour),
        (f"{level:8} ", LEVELS.get(level, "")),
        event,
        ("  " * bool(rest) + " ".join(rest), "dim"),
    )


def access_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The useful fields of a Traefik access line; None unless the request failed at the gateway or behind it."""
    status = int(record.get("DownstreamStatus", 0))
    if status < 500:
        return None
    return {
        "time": record.get("time", ""),
        "level": "error",
        "event": f"{record.get('RequestMethod')} {record.get('RequestPath')} {status}",
        "router": record.get("RouterName", "-"),
        "server": record.get("ServiceAddr", "-"),
        "durationMs": round(int(record.get("Duration", 0)) / 1e6, 1),
    }


def value(item: object) -> str:
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text and isinstance(item, str) else text
