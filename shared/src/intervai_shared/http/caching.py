"""Answers that browsers and edges may keep: Cache-Control and ETag (RFC 9111, RFC 9110 section 8.8.3)."""

import hashlib
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response


def cacheable_json(
    request: Request, content: Any, max_age_seconds: int, scope: Literal["public", "private"] = "public"
) -> Response:
    """`content` as JSON for any cache (`private`: only the person's own), or 304 when the client holds this version."""
    body = orjson.dumps(content)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": f"{scope}, max-age={max_age_seconds}", "ETag": etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
