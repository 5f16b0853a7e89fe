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
from offline_llm.faults import Fault, before, fault_of
from offline_llm.settings import OfflineSettings

MAX_BODY_BYTES = 1_048_576
EVENTS_AT_A_TIME = 16


def create_app(settings: OfflineSettings) -> Starlette:
    """The application; reads the bank first."""
    questions = bank.load()

    async def complete(request: Request) -> Response:
        started = time.perf_counter()
        try:
            wanted = await _read(request)
            await asyncio.sleep(settings.offline_llm_delay_ms / 1000)
            fault = fault_of(str(wanted.get("model")))
            if fault and (error := await before(fault)):
                return _error(f"as asked: {fault.name}", *error)
            completion = answer(questions, wanted, fault)
        except RequestError as wrong:
            return _error(str(wrong), 400)
        _log(wanted, completion, started)
        if not wanted.get("stream"):
            return JSONResponse(completion)
        options = wanted.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        events = _events(completion, usage, fault)
        return StreamingResponse(_stream(events, settings), media_type="text/event-stream")

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


def _events(completion: dict[str, Any], usage: bool, fault: Fault | None) -> list[str]:
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks(completion, usage)]
    if fault and fault.name == "cut-stream":
        return events[: len(events) // 2]
    return [*events, "data: [DONE]\n\n"]


async def _stream(events: list[str], settings: OfflineSettings) -> AsyncIterator[str]:
    """One by one where there is a delay, else many at a time: it costs less."""
    delay = settings.offline_llm_token_delay_ms / 1000
    size = 1 if delay else EVENTS_AT_A_TIME
    for start in range(0, len(events), size):
        yield "".join(events[start : start + size])
        await asyncio.sleep(delay)


def _error(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status, headers)


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
