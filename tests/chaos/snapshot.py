"""What really is there after a run: each service's database, the bucket, and what the people are told by the API."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
from botocore.config import Config
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from auth_service.worker import SUBSCRIBERS as AUTH_SUBSCRIBERS
from export_service.worker import SUBSCRIBERS as EXPORT_SUBSCRIBERS
from qa_service.worker import SUBSCRIBERS as QA_SUBSCRIBERS
from tests.chaos.ledger import Ledger

Document = dict[str, Any]
#: Who gets which events, by the service that sends them.
SUBSCRIBERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "auth": AUTH_SUBSCRIBERS,
    "qa": QA_SUBSCRIBERS,
    "export": EXPORT_SUBSCRIBERS,
}
OWN = {
    "auth": ("accounts", "letters"),
    "user": ("profiles",),
    "qa": ("sessions", "questions", "jobs", "topic_uses"),
    "export": ("exports",),
}
CHASSIS = ("events", "outbox", "inbox", "dead_letters")
UNFINISHED = ("queued", "running")
LOOK_SECONDS = 1.0
API_AT_ONCE = 8
PAGE = 100


@dataclass
class Snapshot:
    """`db["qa"]["sessions"]` is all documents of that collection. `objects`: bytes by key, as S3 lists them. `told`: by
    e-mail, `{profile, sessions, exports, questions: {session: [...]}, files: {export: bytes that came}}`."""

    db: dict[str, dict[str, list[Document]]] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    told: dict[str, Document] = field(default_factory=dict)

    def of(self, service: str, collection: str) -> list[Document]:
        """The documents of a collection."""
        return self.db.get(service, {}).get(collection, [])


def database(client: AsyncMongoClient[Document], service: str) -> Any:
    """The database of a service of the suite."""
    return client[f"intervai_{service}"]


async def settle(mongo_uri: str, seconds: float) -> float:
    """Waits until nothing is under way any more, or the time is over; how long that took, in seconds."""
    started, client = time.monotonic(), AsyncMongoClient[Document](mongo_uri, serverSelectionTimeoutMS=3000)
    async with client:
        while time.monotonic() - started < seconds:
            try:
                if not await _under_way(client):
                    break
            except PyMongoError:
                pass  # it may still be coming back from the last fault
            await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - started


async def _under_way(client: AsyncMongoClient[Document]) -> bool:
    for service in OWN:
        if await database(client, service).outbox.find_one({"state": "pending"}):
            return True
    unfinished = {"status": {"$in": UNFINISHED}}
    if await database(client, "qa").jobs.find_one(unfinished):
        return True
    for service, records in (("export", "exports"), ("auth", "letters")):
        if await database(client, service)[records].find_one(unfinished):
            return True
    return await _undelivered(client)


async def _undelivered(client: AsyncMongoClient[Document]) -> bool:
    for source, by_type in SUBSCRIBERS.items():
        for event_type, targets in by_type.items():
            sent = await database(client, source).events.count_documents({"type": event_type})
            for target in targets:
                inbox = database(client, target.removesuffix("-service")).inbox
                if await inbox.count_documents({"type": event_type}) < sent:
                    return True
    return False


async def take(ledger: Ledger, mongo_uri: str, gateway_url: str) -> Snapshot:
    """Reads everything. Raises what Mongo, S3 and the gateway raise: by now all must be well."""
    found = Snapshot(objects=await asyncio.to_thread(_objects))
    async with AsyncMongoClient[Document](mongo_uri) as client:
        for service, collections in OWN.items():
            db = database(client, service)
            found.db[service] = {name: await db[name].find({}).to_list() for name in (*collections, *CHASSIS)}
    turn = asyncio.Semaphore(API_AT_ONCE)
    async with httpx.AsyncClient(base_url=gateway_url, timeout=20, verify=False) as http:  # noqa: S501

        async def ask(email: str) -> None:
            async with turn:
                found.told[email] = await _told(http, email, ledger.people[email])

        there = {account["email"] for account in found.of("auth", "accounts")}
        await asyncio.gather(*(ask(email) for email in ledger.people if email in there))
    return found


def _objects() -> dict[str, int]:
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name=os.environ["AWS_REGION"],
        config=Config(request_checksum_calculation="when_required"),
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=os.environ["S3_BUCKET"])
    return {item["Key"]: int(item["Size"]) for page in pages for item in page.get("Contents", [])}


async def _told(http: httpx.AsyncClient, email: str, password: str) -> Document:
    """What a person sees who comes back."""
    login = await http.post("/api/v1/auth/login", json={"email": email, "password": password})
    headers = {"Authorization": f"Bearer {login.raise_for_status().json()['accessToken']}"}
    profile = await http.get("/api/v1/users/me", headers=headers)
    sessions = await _all(http, "/api/v1/sessions", headers)
    exports = await _all(http, "/api/v1/exports", headers)
    return {
        "profile": profile.json() if profile.is_success else None,
        "sessions": sessions,
        "questions": {
            session["id"]: await _all(http, f"/api/v1/sessions/{session['id']}/questions", headers)
            for session in sessions
        },
        "exports": exports,
        "files": {
            export["id"]: await _file_bytes(http, export["downloadUrl"])
            for export in exports
            if export["status"] == "ready"
        },
    }


async def _all(http: httpx.AsyncClient, path: str, headers: Mapping[str, str]) -> list[Document]:
    items: list[Document] = []
    params: dict[str, Any] = {"limit": PAGE}
    while True:
        page = (await http.get(path, params=params, headers=headers)).raise_for_status().json()
        items += page["items"]
        if not page["nextCursor"]:
            return items
        params["cursor"] = page["nextCursor"]


async def _file_bytes(http: httpx.AsyncClient, url: str) -> int:
    """How many bytes the signed URL gives; -1 when it gives none."""
    answer = await http.get(url)
    return len(answer.content) if answer.is_success else -1
