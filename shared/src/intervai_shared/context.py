"""What a log line, an outgoing call and a queued message must know of the request that caused them."""

import re
import secrets
import uuid
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# https://www.w3.org/TR/trace-context/#traceparent-header-field-values
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def valid_request_id(value: str) -> str:
    """The caller's request id if it is harmless in a log, else a new one."""
    return value if _REQUEST_ID.fullmatch(value) else uuid.uuid4().hex


def child_traceparent(value: str) -> str:
    """A W3C traceparent with a new span id in the trace of `value`, or of a new trace if that is no traceparent."""
    if _TRACEPARENT.fullmatch(value):
        version, trace_id, _, flags = value.split("-")
        return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id() -> str:
    """The 32 hex digits of the current trace, or an empty string outside of one."""
    return traceparent.get()[3:35]


def outgoing_headers() -> dict[str, str]:
    """Headers that carry the context to another service."""
    headers = {"X-Request-Id": request_id.get(), "traceparent": traceparent.get()}
    return {name: value for name, value in headers.items() if value}
