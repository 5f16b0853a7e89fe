"""A service around the routes of a test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from intervai_shared.app import create_service_app
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings
from intervai_shared.testing import running


@dataclass(frozen=True)
class Container:
    """Only the chassis's part."""

    resources: Resources


@pytest.fixture
async def serve(settings: ServiceSettings) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Runs a service with these routes, all of them public, and gives a client of it."""

    @asynccontextmanager
    async def open_container(settings: ServiceSettings) -> AsyncIterator[Container]:
        async with open_resources(settings, {}) as resources:
            yield Container(resources)

    async with AsyncExitStack() as stack:

        async def start(
            router: APIRouter, other: ServiceSettings | None = None, body_bytes: dict[str, int] | None = None
        ) -> httpx.AsyncClient:
            public = {route.path for route in router.routes if isinstance(route, APIRoute)}
            named = public | {"/not-here", "/things/1", "/things/2"}
            app = create_service_app(other or settings, open_container, [router], public=named, body_bytes=body_bytes)
            return await stack.enter_async_context(running(app))

        yield start
