"""The largest body that a request may have. (FastAPI's own `max_body_size` answers in plain text.)"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intervai_shared.errors import TooLargeError, problem_response


class BodyLimitMiddleware:
    """Refuses a body that says it is too large before it is read, and one that does not say when it becomes so.
    `by_path`: bytes of the paths that take other bodies than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max = max_bytes
        self._by_path = by_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        most = self._by_path.get(scope["path"], self._max)
        refusal = f"The body may have {most} bytes."
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            return await problem_response(TooLargeError(refusal), scope["path"])(scope, receive, send)
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, refusal)  # of the errors while a body is read FastAPI lets only these out
            return message

        return await self._app(scope, counted, send)
