"""What the tests of several services need. Only tests import it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
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

from intervai_shared import logs
from intervai_shared.redis_address import parse
from intervai_shared.settings import ServiceSettings, load_settings

#: Makes a person with an account of their own, signed in.
NewPerson = Callable[[], Awaitable["Person"]]
#: Applications that no test has now, see `app_again`.
_IDLE: dict[Any, list[FastAPI]] = {}


@dataclass
class Person:
    """A signed-in user: `http` goes through the gateway with their access token, `tokens` is the answer to register."""

    id: ObjectId
    email: str
    http: httpx.AsyncClient
    tokens: dict[str, Any]


@contextmanager
def app_again(create: Callable[[], FastAPI]) -> Iterator[FastAPI]:
    """An application that `create` makes, or has made for a test before: to make one and to answer its first request,
    for which FastAPI prepares its routes, takes longer than most tests. Nobody else has it meanwhile, and what it holds
    is opened anew, with the settings of now, each time it runs."""
    idle = _IDLE.setdefault(create, [])
    app = idle.pop() if idle else create()
    settings = load_settings(type(app.state.settings))
    if _sizes(settings) != _sizes(app.state.settings):
        app = create()
    app.state.settings = settings
    logs.configure(settings.service, settings.log_level)  # of the process; `create` does it too
    yield app
    idle.append(app)


def _sizes(settings: ServiceSettings) -> dict[str, Any]:
    """Of bodies: the settings with which an application is made, not opened."""
    return {name: value for name, value in settings if name.endswith("_bytes")}


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
