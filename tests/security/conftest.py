"""Fixtures of the attacks: processes of auth-service with the settings that an attack needs, beside the suite's."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from intervai_shared.testing import Person

#: Starts an API process of auth-service on the suite's parts; `settings` go before the suite's.
StartAuth = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def start_auth() -> AsyncIterator[StartAuth]:
    """Each call answers a client of another process, ready; all of them end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**settings: str) -> httpx.AsyncClient:
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                port = unused.getsockname()[1]
            own = {"SERVICE_CLIENT_ID": "user-service", "SERVICE_CLIENT_SECRET": "unused", "DRAIN_SECONDS": "0"}
            environment = {**os.environ, **own, "PORT": str(port), **settings}
            command = [sys.executable, "-m", "intervai_shared.serve", "auth_service.app"]
            process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL)
            stack.push_async_callback(process.wait)
            stack.callback(process.terminate)
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, limits=httpx.Limits())
            await stack.enter_async_context(client)
            await _ready(client)
            return client

        yield start


@pytest.fixture
async def attacker(person: Person, gateway: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client whom every route lets in: an administrator who has just logged in."""
    async with AsyncMongoClient[dict[str, Any]](os.environ["MONGO_URI"]) as mongo:
        roles = {"$set": {"roles": ["user", "admin"]}}
        await mongo.intervai_auth.accounts.update_one({"_id": person.id}, roles)
    answer = await gateway.post("/api/v1/auth/login", json={"email": person.email, "password": "correct horse battery"})
    headers = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client:
        async with asyncio.timeout(60):
            while (await client.get(f"{gateway.base_url}/api/v1/users/me")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # a worker makes it
        yield client


async def _ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
