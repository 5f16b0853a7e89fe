"""export-service inside the test process: its API and its worker's parts on a database of the test's own; qa-service,
auth-service and S3 are those of the running suite."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.retries.standard import ExponentialBackoff
from bson import ObjectId
from fastapi import FastAPI
from pymongo import AsyncMongoClient, monitoring

from export_service.app import create_app
from export_service.exports.maker import ExportMaker
from export_service.renderers.content import Content, Item, Layout
from export_service.settings import ExportSettings
from export_service.worker import ExportWorker, open_worker
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.query_checks import QueryChecks, Recorder
from intervai_shared.settings import load_settings
from intervai_shared.storage import FileStorage
from intervai_shared.testing import Person, app_again, running

QUESTIONS = [
    {"text": "What is a container?", "answer": "A process.", "keyPoints": ["Namespaces"], "followUps": ["And a VM?"]},
    {"text": "What is an image?", "answer": "Layers.", "notes": "My own words.", "category": "Images"},
]


#: What people may type and no file may take for anything but text. None has code in it.
HOSTILE = {
    "typst code": '#panic("x") #sys.inputs #{1 + 1} #import "@preview/x:1.0.0"',
    "typst markup": "= Heading\n+ one\n/ Term: x\n*b* _i_ $x^2$ @ref <label> \\ // comment /* c */ --- -- ...",
    "brackets": "] } ) \" ' [ { ( \\",
    "lone backticks": "` and ``` and ``",
    "html": '<b>bold</b><script>alert(1)</script><!-- c --> <img src="x" onerror="y">\n\n<div>\nblock\n</div>',
    "links": "[text](http://example.com) ![image](x.png) <http://example.com> [ref] [ref]: http://x.y",
    "link definition": "[ref]: http://example.com 'title'\n\n[ref]",
    "headings": "# One\n###### Six\nSetext\n======\nSetext two\n----------",
    "lists": "- a\n* b\n+ c\n1. d\n2) e\n- [ ] f\n> quote\n***\n---\n___",
    "table": "| a | b |\n|---|:-:|\n| 1 | 2 |\n\na\n:-:",
    "table at the end": "|a|b\n|--|--|",
    "heading at the end": "Setext\n===",
    "indented": "text\n\n    indented code\n\ttab",
    "tilde fence": "~~~\nfence\n~~~\n~~struck~~",
    "not a fence": "``` these words are text",
    "entities": "&amp; &#35; &copy; &lt;b&gt; &nbsp",
    "emphasis": "**b** *i* __b__ _i_ snake_case_name 2*3*4",
    "line ends": "one\r\ntwo\rthree\u2028four\u2029five\x0bsix\x0cseven\\\neight  \nnine",
    "greek and cyrillic": "Ελληνικά, привет, Zażółć",
    "front matter": "---\ntitle: x\n---",
    "footnote": "[^1] text [^1]: note",
    "percent": "%% {{ x }} {% x %} {#id .class} :::note",
    "long word": "x" * 190,
    "long url": "https://example.com/" + "path/" * 40,
}


@dataclass(frozen=True)
class Stored:
    """An object as S3 keeps it."""

    key: str
    body: bytes
    head: dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def _one_tls_context() -> Iterator[None]:
    """An httpx client reads the certificates of all authorities, 27 ms of each; the four of a test can share them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx._transports.default, "create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture
async def database(own_database: str, bucket: "Bucket") -> AsyncIterator[Database]:
    """The test's own database; the files of its exports go with it."""
    async with AsyncMongoClient[Document](os.environ["MONGO_URI"], tz_aware=True) as client:
        yield client[own_database]
        async for export in client[own_database].exports.find({}, {"_id": 1}):
            bucket.clear(export["_id"])


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate limits as in production; ask for it before `api`."""
    monkeypatch.setenv("RATE_LIMIT_SCALE", "1")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Notes the commands to Mongo. Mongo's clients take their listeners when they are made: ask for it before `api` and
    `worker`."""
    made = Recorder()
    listeners = monitoring._LISTENERS._replace(command_listeners=[*monitoring._LISTENERS.command_listeners, made])
    monkeypatch.setattr(monitoring, "_LISTENERS", listeners)
    return made


@pytest.fixture
def check_queries(recorder: Recorder, worker: ExportWorker) -> QueryChecks:
    """What a repository is checked with: see `QueryChecks`."""
    return QueryChecks(worker.resources.mongo.db, recorder)


@pytest.fixture
def app(database: Database) -> Iterator[FastAPI]:
    """The API, not yet opened."""
    with app_again(create_app) as made:
        yield made


@pytest.fixture
async def api(app: FastAPI, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    """The API, for a signed-in person."""
    async with running(app, person.tokens["accessToken"]) as client:
        yield client


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[ExportWorker]:
    """What a worker process holds, with its rendering processes, S3 and Mongo."""
    async with open_worker(load_settings(ExportSettings)) as opened:
        yield opened


@pytest.fixture
def maker(worker: ExportWorker) -> ExportMaker:
    """Makes exports as the worker's actor does."""
    return worker.maker


@pytest.fixture
async def session_id(person: Person) -> str:
    """A session of the person's in qa-service, with two questions; the second one is pinned."""
    body = {"title": "Ada's interview", "role": "SRE", "experience": "senior", "topics": ["Docker"], "generate": False}
    session = (await person.http.post("/api/v1/sessions", json=body)).json()
    for question in QUESTIONS:
        added = await person.http.post(f"/api/v1/sessions/{session['id']}/questions", json=question)
        assert added.status_code == 201, added.text
    await person.http.patch(f"/api/v1/questions/{added.json()['id']}", json={"isPinned": True})
    return str(session["id"])


@pytest.fixture
def start(api: httpx.AsyncClient, session_id: str) -> Callable[..., Awaitable[ObjectId]]:
    """Starts an export of the session; the id of its record."""

    async def post(kind: str = "md", **options: Any) -> ObjectId:
        body = {"sessionId": session_id, "format": kind, "options": options}
        answer = await api.post("/api/v1/exports", json=body)
        assert answer.status_code == 202, answer.text
        return ObjectId(answer.json()["id"])

    return post


@pytest.fixture
def start_some(start: Callable[..., Awaitable[ObjectId]]) -> Callable[[int], Awaitable[list[ObjectId]]]:
    """Starts up to ten exports of the session that are files of their own, one after the other; their ids."""
    variants = [(paper, locale) for paper in ("a4", "letter") for locale in ("en", "de", "fr", "es", "ja")]

    async def some(count: int) -> list[ObjectId]:
        return [await start("md", paper=paper, locale=locale) for paper, locale in variants[:count]]

    return some


class Bucket:
    """The suite's bucket, as its owner sees it."""

    def __init__(self) -> None:
        self._client = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"])
        self._name = os.environ["S3_BUCKET"]

    def of(self, export_id: ObjectId) -> list[Stored]:
        """The objects of an export, under whatever content."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix="exports/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", []) if str(export_id) in entry["Key"]]
        answers = [self._client.get_object(Bucket=self._name, Key=key) for key in keys]
        return [Stored(key, answer["Body"].read(), answer) for key, answer in zip(keys, answers, strict=True)]

    def clear(self, export_id: ObjectId) -> None:
        for stored in self.of(export_id):
            self._client.delete_object(Bucket=self._name, Key=stored.key)


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    """To look at what lies in S3."""
    return Bucket()


@pytest.fixture
def lost_s3(monkeypatch: pytest.MonkeyPatch) -> Callable[[FileStorage], AbstractContextManager[None]]:
    """`with lost_s3(storage)`: nothing listens where the storage looks for S3."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)

    @contextmanager
    def lost(storage: FileStorage) -> Iterator[None]:
        reachable = storage._client
        dead = load_settings(ExportSettings).model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
        storage._client = FileStorage(dead)._client
        yield
        storage._client = reachable

    return lost


@pytest.fixture
def content() -> Callable[..., Content]:
    """Content with one question: `content(text=…, title=…, paper=…)` sets its fields, whichever of the three has
    them."""

    def build(**fields: Any) -> Content:
        session = {"title": "Title", "role": "Role", "experience": "senior", "topics": ["Topic"]}
        session |= {name: fields.pop(name) for name in tuple(fields) if name in session}
        item = Item(
            id="665f1c2e9b1d8a0012345601",
            text="Question?",
            answer="Answer.",
            difficulty="easy",
            category="Topic",
            key_points=["Point"],
            follow_ups=["Follow-up?"],
            is_pinned=False,
            notes="Note.",
        )
        layout = Layout(**{name: fields.pop(name) for name in ("paper", "locale", "bom") if name in fields})
        items = fields.pop("items", None)
        if items is None:
            items = [replace(item, **fields)]
        about = {"id": "665f1c2e9b1d8a0012345600", "created_at": "2026-03-05T10:00:00Z", **session}
        return Content(**about, items=items, layout=layout)

    return build


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    """Text that a careless renderer would take for markup."""
    return str(request.param)


@pytest.fixture
def hostile_content(hostile: str, content: Callable[..., Content]) -> Content:
    """It in every field that a person or a model fills."""
    return content(
        title=hostile,
        role=hostile,
        experience=hostile,
        topics=[hostile],
        text=" ".join(hostile.split()),
        answer=hostile,
        category=hostile,
        key_points=[hostile],
        follow_ups=[hostile],
        notes=hostile,
        difficulty=hostile,
        is_pinned=True,
    )


@pytest.fixture
def faulty_command() -> tuple[str, ...]:
    """A rendering process that fails as the title of the content says."""
    return (sys.executable, str(Path(__file__).with_name("faulty_renderer.py")))
