"""A suite that people use is backed up and restored into a second one, where they go on.

The first suite is the one that these tests run beside. What is on its way at the moment of the backup is laid there by
hand, as it lies after the relay has sent it and before a worker has got it: only so it is surely there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import bson
import httpx
import pytest
from bson import ObjectId
from pymongo import MongoClient

from intervai_backup.backup import take
from intervai_backup.manifest import Manifest
from intervai_backup.restore import restore
from intervai_backup.revive import Revival, documents
from intervai_backup.settings import SERVICES, BackupSettings
from intervai_shared.models import utc_now
from intervai_shared.testing import NewPerson, Person

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 60
INTERVIEW = {"role": "Backend engineer", "experience": "senior", "topics": ["Python", "SQL"]}


class Accepted:
    """How many sessions were accepted from those who write."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Condition()

    async def one(self) -> None:
        async with self._changed:
            self.count += 1
            self._changed.notify_all()

    async def more_than(self, count: int) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.count > count), PATIENCE_SECONDS)


@asynccontextmanager
async def writers(new_person: NewPerson) -> AsyncIterator[Accepted]:
    """People who use the suite while the block runs: they register and start sessions."""
    accepted = Accepted()

    async def use() -> None:
        while True:
            await post((await new_person()).http, "sessions", **INTERVIEW, questionCount=3)
            await accepted.one()

    tasks = [asyncio.create_task(use()) for _ in range(3)]
    try:
        yield accepted
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def lay_on_its_way(mongo: MongoClient[Any], person: Person, session_id: str) -> tuple[ObjectId, ObjectId]:
    """A job that is queued in Redis, and an account whose event is: sent, and not applied yet."""
    now, job, account = utc_now(), ObjectId(), ObjectId()
    # Before the relay's mark in Redis, or the relay takes it for lost and sends it again at once.
    before = now - timedelta(hours=1)
    trace = {"requestId": "", "traceparent": ""}
    sent = {"state": "published", "publishedAt": before, "createdAt": before, "trace": trace}
    record = {"kind": "generation", "user": person.id, "session": ObjectId(session_id), "count": 2, "difficulty": None}
    state = {"status": "running", "progress": 10, "attempt": 3, "leaseUntil": now, "error": None, "result": None}
    times = {"createdAt": now, "updatedAt": now}
    mongo.intervai_qa.jobs.insert_one({"_id": job, "topics": ["Go"], **record, **state, **times})
    message = {"kind": "job", "name": "do_job", "queue": "generation", "args": [str(job)]}
    mongo.intervai_qa.outbox.insert_one({**message, **sent})
    mine = mongo.intervai_auth.accounts.find_one({"_id": person.id})
    email = f"{account}@example.com"
    mongo.intervai_auth.accounts.insert_one({**mine, "_id": account, "email": email, "emailKey": email})
    [like] = mongo.intervai_auth.outbox.find({"kind": "event", "args.aggregateId": str(person.id)})
    event = {**like["args"][0], "id": str(ObjectId()), "aggregateId": str(account)}
    event["data"] = {**event["data"], "email": email}
    mongo.intervai_auth.outbox.insert_one({**like, "_id": ObjectId(event["id"]), "args": [event], **sent})
    return job, account


def assert_same(folder: Path, manifest: Manifest, mongo: MongoClient[Any]) -> int:
    """Every document of the backup is in the second suite, as it was or as `Revival` says. The number of them."""
    revival, count = Revival.of(manifest), 0
    for service, database in manifest.databases.items():
        assert set(mongo[database.name].list_collection_names()) == set(database.collections)
        for name, facts in database.collections.items():
            change = revival.change(service, name) or (lambda document: document)
            wanted = {}
            for raw in documents(folder / facts.file.path):
                document = change(bson.decode(raw.raw, bson.CodecOptions(tz_aware=True)))
                wanted[document["_id"]] = {**document, "appliedAt": None}
            found = {document["_id"]: {**document, "appliedAt": None} for document in mongo[database.name][name].find()}
            assert found == wanted, name
            count += len(found)
    return count


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  another process makes it true
            await asyncio.sleep(0.05)


async def ended(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """A job or an export when it has ended."""

    async def has_ended() -> bool:
        return (await http.get(path)).json()["status"] not in {"queued", "running"}

    await until(has_ended)
    return dict((await http.get(path)).json())


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await http.post(f"/api/v1/{path}", json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())


@asynccontextmanager
async def logged_in(url: str, email: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        tokens = await post(client, "auth/login", email=email, password=PASSWORD)
        client.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
        yield client


class Before:
    """What a person had in the first suite."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.questions: list[dict[str, Any]] = []
        self.export: dict[str, Any] = {}
        self.file = b""
        self.session_id = ""

    async def make(self) -> None:
        """A session with a pinned question, and an export."""
        http = self.person.http
        session = await post(http, "sessions", **INTERVIEW, questionCount=4)
        self.session_id = session["id"]
        assert (await ended(http, f"/api/v1/jobs/{session['generation']['jobId']}"))["status"] == "succeeded"
        last = (await self.list_questions(http))[-1]
        changed = await http.patch(f"/api/v1/questions/{last['id']}", json={"isPinned": True, "notes": "ü"})
        assert changed.status_code == 200
        self.questions = await self.list_questions(http)
        started = await post(http, "exports", sessionId=self.session_id, format="pdf")
        self.export = await ended(http, f"/api/v1/exports/{started['id']}")
        self.file = (await download(self.export)).content

    async def list_questions(self, http: httpx.AsyncClient) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await http.get(f"/api/v1/sessions/{self.session_id}/questions")).json()["items"]
        return found

    async def assert_there(self, http: httpx.AsyncClient) -> None:
        """In the second suite, as the same person sees it."""
        assert await self.list_questions(http) == self.questions
        again = await download((await http.get(f"/api/v1/exports/{self.export['id']}")).json())
        assert (again.content, again.headers["content-type"]) == (self.file, "application/pdf")
        assert self.export["fileName"] in again.headers["content-disposition"]


async def download(export: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(export["downloadUrl"])
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.timeout(300)
async def test_people_go_on_in_a_second_suite(new_person: NewPerson, second: Any, tmp_path: Path) -> None:
    before = Before(await new_person())
    await before.make()
    empty = await post(before.person.http, "sessions", **INTERVIEW, generate=False)
    with MongoClient[Any](os.environ["MONGO_URI"], tz_aware=True) as mongo:
        job, newcomer = lay_on_its_way(mongo, before.person, empty["id"])
    async with writers(new_person) as accepted:
        await accepted.more_than(3)
        count, folder = accepted.count, tmp_path / "backup"
        manifest = await asyncio.to_thread(take, BackupSettings(), folder)
        await accepted.more_than(count)

    found = second.settings
    await asyncio.to_thread(restore, BackupSettings(**_fields(found)), folder)
    with MongoClient[Any](found["MONGO_URI"], tz_aware=True) as mongo:
        assert assert_same(folder, manifest, mongo) > 20
        await asyncio.to_thread(second.start_services)
        url = found["GATEWAY_URL"]
        async with logged_in(url, before.person.email) as there, logged_in(url, f"{newcomer}@example.com") as late:
            await before.assert_there(there)
            done = await ended(there, f"/api/v1/jobs/{job}")
            assert (done["status"], done["result"]["questions"]) == ("succeeded", 2)
            await assert_nothing_is_left_over(mongo)
            assert (await late.get("/api/v1/users/me")).json()["id"] == str(newcomer)


def _fields(found: dict[str, str]) -> dict[str, Any]:
    return {name: found[name.upper()] for name in BackupSettings.model_fields if name.upper() in found}


async def assert_nothing_is_left_over(mongo: MongoClient[Any]) -> None:
    """Every message is sent, every job ends, every account gets its profile, every session its questions once."""
    waiting = {"status": {"$in": ["queued", "running"]}}

    async def is_done() -> bool:
        pending = [mongo[f"intervai_{name}"].outbox.count_documents({"state": "pending"}) for name in SERVICES]
        accounts = {account["_id"] for account in mongo.intervai_auth.accounts.find({}, {"_id": 1})}
        profiles = {profile["_id"] for profile in mongo.intervai_user.profiles.find({}, {"_id": 1})}
        return not any(pending) and accounts == profiles and not mongo.intervai_qa.jobs.find_one(waiting)

    await until(is_done)
    for session in mongo.intervai_qa.sessions.find():
        assert session["questionCount"] == mongo.intervai_qa.questions.count_documents({"session": session["_id"]})
