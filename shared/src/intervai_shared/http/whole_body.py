"""No answer goes out before the request's body has come in.

A server that answers early (401 before the body is read, 404, 413) and closes the connection makes a gateway that is
still sending fail: Traefik then answers 502 instead, and counts it against the instance, which a stranger could use to
take all of them out (https://www.rfc-editor.org/rfc/rfc9112#section-9.6 warns of it too).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class WholeBodyMiddleware:
    """Reads and drops what the application has left of a body, `max_bytes` at most, before its answer starts.
    `by_path`: as of the body limit."""

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max = max_bytes
        self._by_path = by_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            return await self._app(scope, receive, send)
        body = _Body(receive)

        async def afterwards(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.drop_rest(self._by_path.get(scope["path"], self._max))
            await send(message)

        return await self._app(scope, body.receive, afterwards)


class _Body:
    """Notes how much of a body has come, and whether it was all."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0
        self._is_whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self._is_whole = self._is_whole or not message.get("more_body", False)  # likewise when the client is gone
        return message

    async def drop_rest(self, max_bytes: int) -> None:
        while not self._is_whole and self._taken <= max_bytes:
            await self.receive()


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
