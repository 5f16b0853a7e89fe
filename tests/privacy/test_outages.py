"""An erasure loses nothing when a worker is killed, or a store is away, in the middle of it."""

import asyncio
import os
import signal
from typing import Any

import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from intervai_shared.testing import Person
from tests.privacy.plant import Planted, plant, until
from tests.privacy.search import places_of
from tests.privacy.support import erase, erased, pid_of

#: More than what is erased between two looks.
MANY = 2_000


@pytest.mark.timeout(300)
async def test_a_worker_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as client:
        db = client.intervai_qa
        session = {"_id": ObjectId(), "user": person.id}
        await db.sessions.insert_one(session)
        for _ in range(0, MANY, 100):  # the embedded engine answers nobody else during an insert of thousands
            await db.questions.insert_many([_question(session) for _ in range(100)])
        worker = pid_of("qa-worker-1")
        started = await erase(person)
        counted = 0
        while counted == 0:
            record = await db.erasures.find_one({"_id": person.id})
            counted = record["counts"].get("questions", 0) if record else 0
        os.kill(worker, signal.SIGKILL)
        assert await db.questions.count_documents({"user": person.id}) > 0, "it was killed too late"
        done = await erased(gateway, started["receipt"])
        assert await db.questions.count_documents({"user": person.id}) == 0
    assert done["reports"]["qa-service"]["questions"] == MANY
    assert done["reports"]["qa-service"]["sessions"] == 1


@pytest.mark.timeout(300)
async def test_while_the_file_store_is_away_records_stay_and_later_all_is_erased(gateway: httpx.AsyncClient) -> None:
    planted = await plant(gateway)
    s3 = pid_of("s3")
    os.kill(s3, signal.SIGSTOP)
    try:
        started = await erase(planted.person)
        path = f"/api/v1/users/erasures/{started['receipt']}"
        waits = await until(gateway, path, lambda answer: set(answer.json()["reports"]) == {"auth-service"})
        assert (waits.json()["status"], waits.json()["record"]) == ("running", None)
        assert waits.json()["waitingFor"] == ["user-service", "qa-service", "export-service"]
        await _tried(planted)
        assert await _exports(planted) == 2
    finally:
        os.kill(s3, signal.SIGCONT)
    await erased(gateway, started["receipt"])
    assert {text: places for text, places in places_of(*planted.canaries.values()).items() if places} == {}


def _question(session: dict[str, Any]) -> dict[str, Any]:
    return {"_id": ObjectId(), "user": session["user"], "session": session["_id"], "isPinned": False, "text": "Why?"}


async def _exports(planted: Planted) -> int:
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as client:
        return int(await client.intervai_export.exports.count_documents({"user": planted.person.id}))


async def _tried(planted: Planted) -> None:
    """Waits until the worker has found that the files cannot be removed."""
    async with asyncio.timeout(60), AsyncMongoClient[Any](os.environ["MONGO_URI"]) as client:
        records = client.intervai_export.erasures
        while (await records.find_one({"_id": planted.person.id}) or {}).get("excused", 0) == 0:  # noqa: ASYNC110  a worker
            await asyncio.sleep(0.1)
