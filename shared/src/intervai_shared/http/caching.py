"""What browsers and edges may keep: Cache-Control and ETag (RFC 9111, RFC 5861, RFC 9110 section 8.8.3)."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intervai_shared.auth.principal import SCOPE_KEY

NO_STORE = "no-store"
_TAG = re.compile(r'"[^"]*"')
#: One of these says whether a cache that serves many people may keep an answer; the rest only says how long.
_SAYS_WHO = frozenset({"public", "private", NO_STORE})


@dataclass(frozen=True)
class Freshness:
    """How long an answer may be kept, in seconds. `edge`: by caches that serve many people, when that is another time
    than in a browser; they then never give it out later. `while_revalidating` and `if_error`: for how long after its
    time a cache may still give it out while it asks for a new one, and when it gets none (RFC 5861)."""

    seconds: int
    scope: Literal["public", "private"] = "public"
    edge: int | None = None
    while_revalidating: int = 0
    if_error: int = 0

    def __str__(self) -> str:
        words = [self.scope, f"max-age={self.seconds}"]
        if self.edge is not None:
            words += [f"s-maxage={self.edge}", "must-revalidate"]
        if self.while_revalidating:
            words.append(f"stale-while-revalidate={self.while_revalidating}")
        if self.if_error:
            words.append(f"stale-if-error={self.if_error}")
        return ", ".join(words)


def cacheable_json(
    request: Request, content: Any, max_age_seconds: int, scope: Literal["public", "private"] = "public"
) -> Response:
    """`content` as JSON for any cache (`private`: only the person's own), or 304 when the client holds this version."""
    return cacheable(request, orjson.dumps(content), "application/json", Freshness(max_age_seconds, scope))


def cacheable(request: Request, body: bytes, media_type: str, freshness: Freshness) -> Response:
    """`body` with its version, or 304 when the client holds this version. The version is a weak one: the gateway
    compresses what goes through it, and a strong one would have to differ from encoding to encoding. So `Vary` is said
    of all; Traefik itself says it only of what it has compressed."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": str(freshness), "ETag": f"W/{tag}", "Vary": "Accept-Encoding"}
    if freshness.scope == "private":
        headers["Vary"] += ", Authorization"  # two people at one browser
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in _TAG.findall(known):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


class CacheControlMiddleware:
    """Nobody keeps an answer of which nothing says that they may: not one without `Cache-Control`, nor an error, nor
    one that sets a cookie; and no cache for many people keeps one that a caller had to show a token for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def explicit(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not _may_be_kept(message["status"], headers, of_somebody=SCOPE_KEY in scope):
                    headers["Cache-Control"] = NO_STORE
            await send(message)

        return await self._app(scope, receive, explicit)


def _may_be_kept(status: int, headers: Headers, *, of_somebody: bool) -> bool:
    words = {word.partition("=")[0].strip().lower() for word in headers.get("cache-control", "").split(",")}
    if status >= 400 or "set-cookie" in headers or not words & _SAYS_WHO:
        return False
    return not (of_somebody and words & {"public", "s-maxage"})
