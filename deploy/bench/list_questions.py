"""How long a list of 20 questions takes at 200 requests a second, with a million questions in the collection.

`make bench TARGET=list-questions` runs it beside a running suite (`RATE_LIMIT_SCALE=0 make up`), which should have one
instance of qa-service; STATE_DIR and GATEWAY_PORT name the suite. The first time it fills the collection, which takes
some minutes. Requests go out by the clock, whether the ones before have been answered or not, and their times count
from when they were due; so a stall is seen in all that waited for it. Prints p50, p95 and p99 in ms.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from rich.console import Console
from rich.table import Table

QUESTIONS = 1_000_000
#: The embedded Mongo engine takes no more than 5,000 documents in one go.
BATCH = 2_000
SESSION_OF = 40
PEOPLE = 10
SESSIONS_OF_A_PERSON = 10
RATE = 200
WARM_UP_SECONDS = 3
SECONDS = 30
INSIDE = "--inside"
TEXT = "How would you find out why a query of this service has become slow, and what would you do about it? "


def question(user: ObjectId, session: ObjectId, number: int) -> dict[str, Any]:
    """A question of the usual size, about 1.3 KB."""
    now = datetime.now(UTC)
    return {
        "user": user,
        "session": session,
        "text": f"{TEXT} ({number})",
        "answer": TEXT * 7,
        "difficulty": ("easy", "medium", "hard")[number % 3],
        "category": "Databases",
        "keyPoints": ["Measure before you change anything.", "Read the plan.", "Add the index that the filter needs."],
        "followUps": ["What if the index is not used?", "How do you notice it the next time?"],
        "isPinned": number % 10 == 0,
        "notes": "",
        "version": 1,
        "source": "generated",
        "model": "bench",
        "createdAt": now,
        "updatedAt": now,
    }


async def fill(questions: AsyncCollection[dict[str, Any]]) -> None:
    """Inserts what is missing of the million, in sessions of other people."""
    missing = QUESTIONS - await questions.estimated_document_count()
    started = time.perf_counter()
    for done in range(0, missing, BATCH):
        sessions = [(ObjectId(), ObjectId()) for _ in range(BATCH // SESSION_OF)]
        await questions.insert_many([question(*sessions[number // SESSION_OF], number) for number in range(BATCH)])
        if done % 100_000 == 0:
            Console().print(f"{done} of {missing} inserted, {time.perf_counter() - started:.0f} s")


async def make_lists(http: httpx.AsyncClient, db: Any) -> list[tuple[str, dict[str, str]]]:
    """Registers people with sessions of their own; the path and the headers of each list."""
    lists = []
    for _ in range(PEOPLE):
        body = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(8), "fullName": "Ada"}
        answer = (await http.post("/api/v1/auth/register", json=body)).raise_for_status().json()
        user, headers = ObjectId(answer["user"]["id"]), {"Authorization": f"Bearer {answer['accessToken']}"}
        for _ in range(SESSIONS_OF_A_PERSON):
            session = ObjectId()
            await db.questions.insert_many([question(user, session, number) for number in range(SESSION_OF)])
            lists.append((f"/api/v1/sessions/{session}/questions", headers))
    return lists


async def measure(
    http: httpx.AsyncClient, lists: list[tuple[str, dict[str, str]]], seconds: float
) -> tuple[list[float], int]:
    """The times in ms of the requests of so many seconds, and how many of them failed."""
    times: list[float] = []
    failed = 0
    started = time.perf_counter()

    async def one(due: float, path: str, headers: dict[str, str]) -> None:
        nonlocal failed
        try:
            answer = await http.get(path, headers=headers)
            failed += answer.status_code != 200 or len(answer.json()["items"]) != 20
        except httpx.HTTPError:
            failed += 1
        times.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(round(seconds * RATE)):
            due = started + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due, *secrets.choice(lists)))
    return times, failed


async def bench() -> None:
    """Fills, measures, prints."""
    url = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '8080')}"
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with (
        AsyncMongoClient[dict[str, Any]](os.environ["MONGO_URI"]) as mongo,
        httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as http,
    ):
        db = mongo[os.environ.get("MONGO_DATABASE", "intervai_qa")]
        await fill(db.questions)
        lists = await make_lists(http, db)
        await measure(http, lists, WARM_UP_SECONDS)
        times, failed = await measure(http, lists, SECONDS)
        count = await db.questions.estimated_document_count()
    cuts = statistics.quantiles(times, n=100)
    table = Table("requests", "failed", "p50 ms", "p95 ms", "p99 ms", title=f"list of 20, {RATE}/s, {count} questions")
    table.add_row(str(len(times)), str(failed), *(f"{cuts[cut - 1]:.1f}" for cut in (50, 95, 99)))
    Console().print(table)


def main() -> None:
    """Begins anew with the settings of the suite's qa-service, among them where its Mongo is."""
    if INSIDE in sys.argv:
        asyncio.run(bench())
        return
    beside = ["-m", "intervai_local", "with", "--service", "qa-service", "--", sys.executable, __file__, INSIDE]
    sys.exit(subprocess.run([sys.executable, *beside], check=False).returncode)  # noqa: S603  ourselves


if __name__ == "__main__":
    main()
