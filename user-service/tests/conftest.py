"""user-service inside the test process; it knows people by the tokens of the running auth-service."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import boto3
import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient, monitoring

from intervai_shared import mongo
from intervai_shared.messaging import outbox
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.testing import Person, app_again, running
from user_service.app import create_app
from user_service.avatars.service import key_of, upload_key_of
from user_service.container import UserContainer
from user_service.events import EVENTS
from user_service.worker import event_handlers

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
                app = stack.enter_context(app_again(create_app))
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
    return Inbox(container.resources.mongo.db, container.resources.outbox, event_handlers(container), EVENTS)


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
def happens(inbox: Inbox) -> Callable[..., Awaitable[Document]]:
    """`happens(type, aggregate id, sequence=…, **data)`: an event of another service arrives; the event."""

    async def arrive(kind: str, aggregate: ObjectId, *, sequence: int = 1, **data: Any) -> Document:
        event = {"_id": ObjectId(), "type": kind, "version": 1, "source": "another-service", "sequence": sequence}
        wire = outbox.wire({**event, "aggregateId": aggregate, "occurredAt": utc_now(), "data": data})
        await inbox.apply(wire)
        return wire

    return arrive


@pytest.fixture
def generated(happens: Callable[..., Awaitable[Document]], person: Person) -> Callable[..., Awaitable[Document]]:
    """`generated(3, owner=…)`: a generation of three questions has ended, of `person` by default; the event."""

    async def arrive(count: int, owner: ObjectId = person.id) -> Document:
        ids = {"user": str(owner), "jobId": str(ObjectId())}
        return await happens("questions.generated", ObjectId(), count=count, **ids)

    return arrive


class Bucket:
    """The suite's bucket, as its owner sees it."""

    def __init__(self) -> None:
        self._client: Any = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"])
        self._name = os.environ["S3_BUCKET"]

    def object(self, key: str) -> dict[str, Any] | None:
        """What lies under a key."""
        found = self._client.list_objects_v2(Bucket=self._name, Prefix=key).get("Contents", [])
        if key not in [entry["Key"] for entry in found]:
            return None
        answer = self._client.get_object(Bucket=self._name, Key=key)
        return {**answer, "Body": answer["Body"].read()}

    def put(self, key: str, body: bytes, media_type: str) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=media_type)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)


@pytest.fixture(scope="session")
def s3() -> Bucket:
    """To look at what lies in S3."""
    return Bucket()


@pytest.fixture
async def avatar_files(database: Database, s3: Bucket) -> AsyncIterator[None]:
    """Nothing of the test stays in S3."""
    yield
    async for avatar in database.avatars.find():
        for key in (key_of(avatar), upload_key_of(avatar)):
            s3.remove(key)


@pytest.fixture
def picture() -> Callable[[str], bytes]:
    """A small file of a media type."""
    begins = {
        "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
        "image/webp": b"RIFF\x00\x02\x00\x00WEBPVP8 ",
        "image/svg+xml": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        "text/html": b"<!doctype html><script>alert(1)</script>",
    }
    return lambda media_type: begins[media_type] + os.urandom(400)


@pytest.fixture
def send_form() -> Callable[..., Awaitable[httpx.Response]]:
    """`send_form(upload, content, **fields)`: sends a file with the form of an upload, as a browser does."""

    async def send(upload: dict[str, Any], content: bytes, **changed: str) -> httpx.Response:
        fields = upload["fields"] | {name.replace("_", "-"): value for name, value in changed.items()}
        async with httpx.AsyncClient(verify=False) as browser:
            return await browser.post(upload["url"], data=fields, files={"file": ("me", content)})

    return send


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
