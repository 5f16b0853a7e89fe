"""user-service inside the test process; it knows people by the tokens of the running auth-service."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient, monitoring

from intervai_shared import mongo
from intervai_shared.messaging import outbox
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.testing import Person, running
from user_service.app import create_app
from user_service.container import UserContainer
from user_service.profiles.tasks import event_handlers

#: Starts a process of user-service, as it were, with these settings beside the usual ones; its client is `person`.
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]


@pytest.fixture
async def database(own_database: str) -> AsyncIterator[Database]:
    """The test's own database."""
    async with AsyncMongoClient[Document](os.environ["MONGO_URI"]) as client:
        yield client[own_database]


@pytest.fixture
async def start(own_database: str, monkeypatch: pytest.MonkeyPatch, person: Person) -> AsyncIterator[Start]:
    """Each call opens another application on the same database."""
    async with AsyncExitStack() as stack:

        async def open_app(**settings: str) -> tuple[httpx.AsyncClient, UserContainer]:
            with monkeypatch.context() as environment:
                for name, value in settings.items():
                    environment.setenv(name, value)
                app = create_app()
            client = await stack.enter_async_context(running(app, person.tokens["accessToken"]))
            return client, app.state.container

        yield open_app


@pytest.fixture
async def user_app(start: Start) -> tuple[httpx.AsyncClient, UserContainer]:
    """One application; it waits for a profile shorter than by default, so that tests of its absence are quick."""
    return await start(PROFILE_WAIT_SECONDS="0.3")


@pytest.fixture
def http(user_app: tuple[httpx.AsyncClient, UserContainer]) -> httpx.AsyncClient:
    """The person's client of it."""
    return user_app[0]


@pytest.fixture
def inbox(user_app: tuple[httpx.AsyncClient, UserContainer]) -> Inbox:
    """What the worker hands an event to."""
    container = user_app[1]
    return Inbox(container.resources.mongo.db, container.resources.outbox, event_handlers(container))


@pytest.fixture
def registered() -> Callable[[Person], Document]:
    """Makes the event of a person's registration, as the queue carries it."""

    def make(person: Person) -> Document:
        data = {"email": person.email, "fullName": "Ada Lovelace"}
        event = {"_id": ObjectId(), "type": "user.registered", "version": 1, "source": "auth-service", "data": data}
        return outbox.wire({**event, "aggregateId": person.id, "occurredAt": utc_now()})

    return make


@pytest.fixture
def event(person: Person, registered: Callable[[Person], Document]) -> Document:
    """The event of the registration of `person`."""
    return registered(person)


@pytest.fixture
async def with_profile(http: httpx.AsyncClient, inbox: Inbox, event: Document) -> httpx.AsyncClient:
    """A client of a person whose profile has been made."""
    await inbox.apply(event)
    return http


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, own_database: str) -> list[str]:
    """The names of the commands that applications started after this send to the test's database."""
    sent: list[str] = []

    class Listener(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.database_name == own_database:
                sent.append(event.command_name)

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            pass

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            pass

    monkeypatch.setattr(mongo, "AsyncMongoClient", partial(AsyncMongoClient, event_listeners=[Listener()]))
    return sent
