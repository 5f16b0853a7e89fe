"""What the tests of several services need. Only tests import it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from bson import ObjectId
from fastapi import FastAPI
from redis import Redis
from redis.cluster import ClusterNode, RedisCluster

from intervai_shared.redis_address import parse

#: Makes a person with an account of their own, signed in.
NewPerson = Callable[[], Awaitable["Person"]]


@dataclass
class Person:
    """A signed-in user: `http` goes through the gateway with their access token, `tokens` is the answer to register."""

    id: ObjectId
    email: str
    http: httpx.AsyncClient
    tokens: dict[str, Any]


@asynccontextmanager
async def running(app: FastAPI, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that runs inside the test process."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client


def redis_at(url: str, **options: Any) -> Any:
    """A plain client of threads of a server or a Cluster, to look into it; it closes at the end of its `with`.
    `options` are redis-py's."""
    address = parse(url)
    if address.kind == "cluster":
        nodes = [ClusterNode(*node) for node in address.nodes]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **{**options, **address.options})
    return Redis.from_url(url, **options)


def letters_to(folder: Path, address: str) -> list[EmailMessage]:
    """The letters for an address that the suite's mail sink has kept, the first one first."""
    stored = (file.read_bytes() for file in sorted(folder.glob("*.eml")))
    # Only those that have the address anywhere: to parse a letter takes a hundred times as long as to read it.
    written = (message_from_bytes(each, policy=policy.default) for each in stored if address.encode() in each)
    return [letter for letter in written if letter["To"] == address]
