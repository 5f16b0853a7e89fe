"""The HTTP side of the offline model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from offline_llm import bank
from offline_llm.completions import MODEL, RequestError, answer, chunks
from offline_llm.settings import OfflineSettings

MAX_BODY_BYTES = 1_048_576


def create_app(settings: OfflineSettings) -> Starlette:
    """The application; reads the bank first."""
    questions = bank.load()

    async def complete(request: Request) -> Response:
        started = time.perf_counter()
        try:
            wanted = await _read(request)
            await asyncio.sleep(settings.offline_llm_delay_ms / 1000)
            completion = answer(questions, wanted)
        except RequestError as error:
            return _error(str(error), 400)
        _log(wanted, completion, started)
        if not wanted.get("stream"):
            return JSONResponse(completion)
        options = wanted.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        return StreamingResponse(_stream(completion, usage, settings), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "intervai"}]})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ready", "topics": len(questions.topics)})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health/live", health),
            Route("/health/ready", health),
        ],
        exception_handlers={HTTPException: _on_http},
    )


async def _read(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is not JSON") from error
    if not isinstance(wanted, dict):
        raise RequestError("the body must be an object")
    return wanted


async def _stream(completion: dict[str, Any], usage: bool, settings: OfflineSettings) -> AsyncIterator[str]:
    for chunk in chunks(completion, usage):
        yield f"data: {json.dumps(chunk)}\n\n"
        await asyncio.sleep(settings.offline_llm_token_delay_ms / 1000)
    yield "data: [DONE]\n\n"


def _error(message: str, status: int) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  narrows the type for mypy
    return _error(error.detail, error.status_code)


def _log(wanted: dict[str, Any], completion: dict[str, Any], started: float) -> None:
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    line = {
        "level": "info",
        "event": "completion",
        "service": "offline-llm",
        "asked": str(wanted["model"])[:64],
        "stream": bool(wanted.get("stream")),
        "tokens": completion["usage"]["total_tokens"],
        "durationMs": milliseconds,
    }
    print(json.dumps(line), flush=True)  # noqa: T201  standard output is the log
