"""Errors as people get them: RFC 9457 problem details (https://www.rfc-editor.org/rfc/rfc9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import redis.exceptions
from pymongo.errors import AutoReconnect, ConnectionFailure, ExecutionTimeout, NetworkTimeout, WaitQueueTimeoutError
from starlette.responses import Response

from intervai_shared import context

#: Seconds after which a caller may try again when a part that we need is down.
RETRY_AFTER_SECONDS = 2


class OutageError(Exception):
    """A part of the system does not answer now: the base of our own errors that say so."""


#: What says that a part of the system does not answer now.
UNAVAILABLE = (
    OutageError,
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    WaitQueueTimeoutError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
)


class ProblemError(Exception):
    """An error with a meaning for the caller. Subclasses fix status, type and title; `detail` is one sentence."""

    status = 500
    slug = "internal-error"
    title = "Internal Server Error"

    def __init__(self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


class BadRequestError(ProblemError):
    status, slug, title = 400, "bad-request", "Bad Request"


class UnauthenticatedError(ProblemError):
    status, slug, title = 401, "unauthenticated", "Authentication Required"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class StepUpRequiredError(ProblemError):
    """The caller is known, but must show again who they are: the challenge of RFC 9470."""

    status, slug, title = 401, "step-up-required", "Authentication Required Again"

    def __init__(self, max_age_seconds: int) -> None:
        challenge = f'Bearer error="insufficient_user_authentication", max_age="{max_age_seconds}"'
        detail = "Please show who you are once more: POST /api/v1/auth/reauthenticate, then use its access token."
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class ForbiddenError(ProblemError):
    status, slug, title = 403, "forbidden", "Forbidden"


class NotFoundError(ProblemError):
    """Also for what belongs to another user: nobody learns that it exists."""

    status, slug, title = 404, "not-found", "Not Found"


class ConflictError(ProblemError):
    status, slug, title = 409, "conflict", "Conflict"


class TooLargeError(ProblemError):
    status, slug, title = 413, "content-too-large", "Content Too Large"


class InvalidError(ProblemError):
    """`errors` is a list of `{field, message}`."""

    status, slug, title = 422, "invalid", "Invalid Input"

    def __init__(self, errors: Sequence[Mapping[str, str]], detail: str = "The request is not valid.") -> None:
        super().__init__(detail, errors=list(errors))


class TooManyRequestsError(ProblemError):
    status, slug, title = 429, "too-many-requests", "Too Many Requests"


class UnavailableError(ProblemError):
    status, slug, title = 503, "unavailable", "Service Unavailable"

    def __init__(self, detail: str | None = None, retry_after_seconds: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


#: Why a job or a message could not even be tried: a part is down, or a sister service that would be asked.
OUTAGES = (*UNAVAILABLE, UnavailableError)


def problem_response(error: ProblemError, path: str) -> Response:
    """Renders an error as `application/problem+json`."""
    body = {
        "type": f"urn:intervai:problem:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": path,
        "requestId": context.request_id.get(),
        **error.extra,
    }
    return Response(
        orjson.dumps({key: value for key, value in body.items() if value is not None}),
        error.status,
        headers={"Cache-Control": "no-store", **error.headers},
        media_type="application/problem+json",
    )
