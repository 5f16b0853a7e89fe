"""The `Idempotency-Key` header of POST requests, for all routes at once."""

import hashlib
import re

from pymongo.errors import PyMongoError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intervai_shared import mongo
from intervai_shared.auth.principal import SCOPE_KEY, User
from intervai_shared.errors import InvalidError, ProblemError, problem_response
from intervai_shared.idempotency import Answer, Execution, IdempotencyKeys
from intervai_shared.logs import log

#: Statuses that a second try may change: they are not kept.
PASSING = frozenset({401, 408, 409, 413, 429})
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')


class IdempotencyMiddleware:
    """Handles a signed-in POST with a key once. Stands inside of the authentication and of the body limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope.get(SCOPE_KEY)
        if scope["type"] != "http" or scope["method"] != "POST" or not isinstance(caller, User):
            return await self._app(scope, receive, send)
        key = Headers(scope=scope).get("idempotency-key")
        if key is None:
            return await self._app(scope, receive, send)
        try:
            key_id = _key_id(key, caller, scope)
            body = await Request(scope, receive).body()
            begun = await _keys(scope).begin(key_id, caller.id, hashlib.sha256(body).hexdigest())
        except ProblemError as error:
            return await problem_response(error, scope["path"])(scope, receive, send)
        if isinstance(begun, Answer):
            return await _replay(begun)(scope, receive, send)
        return await self._handle(begun, body, scope, receive, send)

    async def _handle(self, execution: Execution, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Recorder(send)
        token = mongo.once.set(execution.once)
        try:
            await self._app(scope, _Body(body, receive).receive, answer.send)
        except BaseException:
            await _settle(execution, None)
            raise
        finally:
            mongo.once.reset(token)
        await _settle(execution, answer)
        await answer.finish()


class _Body:
    """Gives the application the body that was read already, then what the client does next."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def receive(self) -> Message:
        message, self._message = self._message, None
        return message or await self._receive()


class _Recorder:
    """Holds an answer back until it has been kept: who got it can rely on it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self.status = 500
        self.media_type = ""
        self.is_secret = False
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        self._messages.append(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message["headers"])
            self.media_type = headers.get("content-type", "")
            # What nobody may store holds a secret that is shown once: we do not store it either.
            self.is_secret = self.status < 400 and headers.get("cache-control") == "no-store"
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def finish(self) -> None:
        for message in self._messages:
            await self._send(message)


async def _settle(execution: Execution, answer: _Recorder | None) -> None:
    """When this fails nothing is lost: the lease ends by itself, and what was committed is not done again."""
    try:
        if answer is None or answer.status >= 500 or answer.status in PASSING or answer.is_secret:
            await execution.release()
        else:
            await execution.keep(Answer(answer.status, answer.media_type, bytes(answer.body)))
    except PyMongoError as error:
        log.warning("idempotency key not settled", error=repr(error))


def _keys(scope: Scope) -> IdempotencyKeys:
    return IdempotencyKeys(scope["app"].state.container.resources.mongo.db.idempotency_keys)


def _key_id(key: str, caller: User, scope: Scope) -> str:
    """Names the key of this person on this path; a hash, since a client may put anything into a key."""
    if not (match := _KEY.fullmatch(key)):
        raise InvalidError([{"field": "header.Idempotency-Key", "message": "must be 1 to 255 visible characters"}])
    return hashlib.sha256(f"{caller.id} {scope['path']} {match[1]}".encode()).hexdigest()


def _replay(answer: Answer) -> Response:
    headers = {REPLAYED_HEADER: "true"}
    return Response(answer.body, answer.status, headers, media_type=answer.media_type or None)
