"""A tiny API, which the tests start as a process: `python -m intervai_shared.serve probe_app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse

from intervai_shared.app import create_service_app
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import ServiceSettings, load_settings

router = APIRouter()


@dataclass(frozen=True)
class Container:
    """Only the chassis's part."""

    resources: Resources


@router.get("/quick")
async def quick() -> str:
    return "quick"


@router.get("/slow")
async def slow() -> str:
    await asyncio.sleep(1.5)
    return "slow"


@router.get("/broken-stream")
async def broken_stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield "half of it"
        await asyncio.sleep(0.1)
        raise RuntimeError("in the middle")

    return StreamingResponse(parts())


@asynccontextmanager
async def open_container(settings: ServiceSettings) -> AsyncIterator[Container]:
    async with open_resources(settings, {}) as resources:
        yield Container(resources)


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    public = frozenset({"/quick", "/slow", "/broken-stream"})
    return create_service_app(load_settings(ServiceSettings), open_container, [router], public=public)
