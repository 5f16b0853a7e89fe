"""The outermost middleware: request id, trace, access log, metrics, and the answer to what nobody caught."""

import time

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intervai_shared import context
from intervai_shared.errors import UNAVAILABLE, ProblemError, problem_response
from intervai_shared.http.paths import path_for_log
from intervai_shared.http.problems import unavailable
from intervai_shared.logs import log

REQUESTS = Counter("intervai_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "intervai_http_request_seconds",
    "Time to the last byte of an answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
#: Methods with series of their own: a client can make up any number of others.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Paths that probes ask every second: counted, not logged.
QUIET_PREFIXES = ("/health/", "/metrics")


class RequestContextMiddleware:
    """Pure ASGI, so that streams and contextvars stay whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        context.request_id.set(context.valid_request_id(headers.get("x-request-id", "")))
        context.traceparent.set(context.child_traceparent(headers.get("traceparent", "")))
        answer = _Answer(send)
        started = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            cause = _cause(error)
            if isinstance(cause, ClientDisconnect):  # it went away while it sent its body: nobody is there to answer
                return None
            problem = _problem_of(cause, scope)
            if answer.status:  # the server must break the connection off: the client has half an answer
                raise
            await problem_response(problem, scope["path"])(scope, receive, answer.send)
        finally:
            _record(scope, answer.status or 499, time.perf_counter() - started)
        return None


def _cause(error: Exception) -> Exception:
    """What a task of an answer met: streams are sent from a task group, which wraps it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return error


def _problem_of(error: Exception, scope: Scope) -> ProblemError:
    """What a middleware met; exceptions of handlers are answered inside, see `problems`."""
    if isinstance(error, UNAVAILABLE):
        return unavailable(error, path_for_log(scope))
    log.exception("unexpected error", method=scope["method"], path=path_for_log(scope))
    return ProblemError("Something went wrong on our side.")


class _Answer:
    """Notes the status that goes out and adds the request id to it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = context.request_id.get()
        await self._send(message)


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(method, route).observe(seconds)
    if not scope["path"].startswith(QUIET_PREFIXES):
        write = log.warning if status >= 500 else log.info
        path, took = path_for_log(scope), round(seconds * 1000, 1)
        write("request", method=scope["method"], path=path, status=status, durationMs=took)
