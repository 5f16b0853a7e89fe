"""JSON log lines on standard output, one a happening, with secrets taken out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from intervai_shared import context

#: Keys whose value must never be written, whatever the caller passes (but numbers: those count tokens).
SECRET_KEYS = re.compile(r"password|secret|token|authorization|cookie|api_?key|private|receipt", re.IGNORECASE)
#: A JWT, or a secret in the user part of a URL, inside any text (an exception's message, say).
SECRET_TEXT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=://)[^/\s]+(?=@)")

#: Frames without their local variables: those hold passwords and tokens.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure(service: str, level: str) -> None:
    """Sends structlog's and the standard library's records through the same processors."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context(service),
        _TRACEBACKS,
        redact,
    ]
    renderer = structlog.processors.JSONRenderer(serializer=_dumps)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared[:-2], structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _TRACEBACKS,
            redact,
            renderer,
        ],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "pymongo", "botocore", "_granian", "dramatiq", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    # Writes a traceback for each command while Redis is down. That it is down we say once; our metrics count misses.
    logging.getLogger("cashews").setLevel(logging.CRITICAL)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: blanks secrets by key and by shape, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_KEYS.search(key):
        return "[redacted]"
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(key, item) for item in value]
    text = str(value)  # as the renderer will write it
    return SECRET_TEXT.sub("[redacted]", text) if SECRET_TEXT.search(text) else value


def _add_context(service: str) -> structlog.typing.Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        if current := context.request_id.get():
            event["requestId"] = current
        if trace := context.trace_id():
            event["traceId"] = trace
        return event

    return add


def _dumps(event: Any, default: Any = None, **_: Any) -> str:
    return orjson.dumps(event, default=default or str).decode()
