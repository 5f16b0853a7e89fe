"""An answer waits for the body of its request, whoever gives it."""

from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from intervai_shared.http.whole_body import WholeBodyMiddleware

PART = 1000


class Exchange:
    """One request of so many parts, and what happened in which order."""

    def __init__(self, parts: int, headers: dict[str, str]) -> None:
        self.left = parts
        self.happened: list[str] = []
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": encoded}

    async def receive(self) -> Message:
        self.happened.append("part")
        if self.left < 0:
            return {"type": "http.disconnect"}
        self.left -= 1
        return {"type": "http.request", "body": b"x" * PART, "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        self.happened.append(message["type"])

    async def run(self, app: Any, max_bytes: int = 100 * PART) -> list[str]:
        await WholeBodyMiddleware(app, max_bytes)(self.scope, self.receive, self.send)
        return self.happened


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without a look at the body."""
    await PlainTextResponse("no", 401)(scope, receive, send)


async def read_one(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await refuse(scope, receive, send)


ANSWER = ["http.response.start", "http.response.body"]
LENGTH = {"content-length": str(5 * PART)}


@pytest.mark.parametrize("headers", [LENGTH, {"transfer-encoding": "chunked"}])
@pytest.mark.parametrize("app", [refuse, read_one])
async def test_the_rest_of_the_body_is_read_before_the_answer(app: Any, headers: dict[str, str]) -> None:
    assert await Exchange(5, headers).run(app) == ["part"] * 5 + ANSWER


async def test_no_more_is_read_than_the_limit() -> None:
    assert await Exchange(50, {"transfer-encoding": "chunked"}).run(refuse, 3 * PART) == ["part"] * 4 + ANSWER


async def test_of_a_path_with_larger_bodies_more_is_read() -> None:
    exchange = Exchange(50, {"transfer-encoding": "chunked"})
    middleware = WholeBodyMiddleware(refuse, 3 * PART, {"/": 6 * PART})
    await middleware(exchange.scope, exchange.receive, exchange.send)
    assert exchange.happened == ["part"] * 7 + ANSWER


async def test_a_client_that_is_gone_is_not_waited_for() -> None:
    assert await Exchange(-1, LENGTH).run(refuse) == ["part", *ANSWER]


@pytest.mark.parametrize("headers", [{}, {"content-length": "0"}])
async def test_a_request_without_body_is_left_alone(headers: dict[str, str]) -> None:
    assert await Exchange(5, headers).run(refuse) == ANSWER
