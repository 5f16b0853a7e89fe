"""The first request of a new process, which came to it because it said that it is ready, waits for nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import fastapi.routing
import httpx
import pytest
from fastapi import APIRouter


async def test_routes_are_prepared_before_the_first_request(
    serve: Callable[..., Awaitable[httpx.AsyncClient]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, prepared = fastapi.routing.get_dependant, list[str]()

    def counted(**options: Any) -> Any:
        prepared.append(options["path"])
        return prepare(**options)

    monkeypatch.setattr(fastapi.routing, "get_dependant", counted)
    router = APIRouter()

    @router.get("/things/{number}")
    async def thing(number: int) -> int:
        return number

    client = await serve(router)
    before = prepared.count("/things/{number}")
    assert (await client.get("/things/1")).json() == 1
    assert prepared.count("/things/{number}") == before > 1  # once for the router, and once for it in the application
