"""Turns every exception of a request into problem+json, in one place."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from intervai_shared.errors import (
    UNAVAILABLE,
    InvalidError,
    ProblemError,
    TooLargeError,
    UnavailableError,
    problem_response,
)
from intervai_shared.http.paths import path_for_log
from intervai_shared.logs import log


def install_handlers(app: FastAPI) -> None:
    """One place turns every exception into problem+json."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, _on_unavailable)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  narrows the type for mypy
    return problem_response(error, request.url.path)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  narrows the type for mypy
    errors = [{"field": _field(item), "message": _message(item)} for item in error.errors()]
    return problem_response(InvalidError(errors), request.url.path)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  narrows the type for mypy
    if error.status_code == 413:
        return problem_response(TooLargeError(error.detail), request.url.path)
    problem = ProblemError(headers=error.headers)
    problem.status = error.status_code
    problem.title = HTTPStatus(error.status_code).phrase
    problem.detail = error.detail if error.detail != problem.title else None
    problem.slug = problem.title.lower().replace(" ", "-")
    return problem_response(problem, request.url.path)


async def _on_unavailable(request: Request, error: Exception) -> Response:
    return problem_response(unavailable(error, path_for_log(request.scope)), request.url.path)


def unavailable(error: Exception, path: str) -> UnavailableError:
    """The problem that one of `UNAVAILABLE` is, noted in the log."""
    log.warning("dependency unavailable", path=path, error=repr(error))
    return UnavailableError("A part of the system is not reachable now.")


def _message(error: Mapping[str, Any]) -> str:
    """pydantic's, but for the length of a text, which it counts in items where a validator stands before the limit."""
    message = str(error["msg"])
    return re.sub(r"\bitems?\b", "characters", message) if isinstance(error.get("input"), str) else message


def _field(error: Mapping[str, Any]) -> str:
    """`("body", "topics", 0)` → `topics.0`; path, query and header keep their first word."""
    parts = [str(part) for part in error["loc"]]
    if error["type"] == "json_invalid" or parts == ["body"]:  # its location is an offset in the text
        return "body"
    return ".".join(parts[1:] if parts[0] == "body" else parts)
