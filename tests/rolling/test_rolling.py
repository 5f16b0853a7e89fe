"""Instances are replaced, added and taken away under load, and nobody notices: no request fails, no event of a stream
is lost or comes twice, no job is lost or done twice."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from rich.console import Console

from intervai_local.lifecycle import Suite
from intervai_local.state import State
from tests.rolling.load import Load, Result
from tests.rolling.people import QUESTIONS, SLOW_SECONDS, Jobs, Stream, Uploads

#: Requests a second, and the share of what the machine carries when it is busy with other things: too much load fails
#: requests by itself. So two cores come to some 20 a second here; `make bench TARGET=rolling` measures with 300.
RATE, SHARE = 300, 0.2
#: Seconds between two generations, as a multiple of the time between two requests; and its bounds.
PAUSE, LEAST_PAUSE, MOST_PAUSE = 40, 1.0, 5.0
#: Seconds after which what has not been told live counts as lost.
PATIENCE_SECONDS = 60
#: Rolled with two instances, and with one.
ROLLED = ("qa-service", "user-service", "qa-worker")
REPLACED = ("qa-service-1", "qa-service-2", "user-service-1", "qa-worker-1")
pytestmark = pytest.mark.timeout(900)  # processes start slowly on a machine that is busy


@dataclass
class Outcome:
    """What came of it. `listed`: titles of the sessions of each of the load's people and, last, of the uploader;
    `questions`: how many each generated session has; `kept`: instances whose process was not replaced."""

    load: Result
    jobs: Jobs
    notifications: Stream
    uploads: Uploads
    listed: dict[str, list[str]]
    questions: dict[str, int]
    kept: list[str]
    counts: dict[str, int]


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    """The suite under test; afterwards one of each runs again."""
    made = Suite(State.from_environment(), Console(stderr=True))
    yield made
    for kind, count in made.state.read("suite.json")["counts"].items():
        if count != 1:
            asyncio.run(command("scale", kind, "1"))


@pytest.fixture(scope="module")
def outcome(suite: Suite) -> Outcome:
    return asyncio.run(rolled_under_load(suite))


async def command(*words: str) -> str:
    """The output of a command of the runner, as make calls it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "intervai_local", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def rolled_under_load(suite: Suite) -> Outcome:
    async with people(4) as (first, second, third, fourth):
        load = Load(os.environ["GATEWAY_URL"], [token_of(first), token_of(second)], RATE)
        rate = await load.find_rate(SHARE, RATE)
        pause = min(MOST_PAUSE, max(LEAST_PAUSE, PAUSE / rate))
        jobs, uploads = Jobs(third, pause), Uploads(os.environ["INTERNAL_GATEWAY_URL"], token_of(fourth))
        notifications, over = Stream(third, "/api/v1/notifications/stream"), asyncio.Event()
        listening = asyncio.create_task(notifications.follow())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            tasks.create_task(jobs.run(over))
            tasks.create_task(uploads.run(over))
            try:
                kept = await change_everything(suite)
            finally:
                over.set()
                load.stop()
        await until_told(notifications, len(jobs.started))
        listening.cancel()
        return Outcome(
            load.result,
            jobs,
            notifications,
            uploads,
            {token_of(one): await titles(one) for one in (first, second, fourth)},
            {session: await count_questions(third, session) for session in jobs.started},
            kept,
            suite.state.read("suite.json")["counts"],
        )


async def change_everything(suite: Suite) -> list[str]:
    """Scales up, rolls, and scales down; the instances whose process a roll has left as it was."""
    await command("scale", "qa-service", "2")
    before = suite.supervisor.pids()
    await command("roll", *ROLLED)
    after = suite.supervisor.pids()
    await command("scale", "qa-worker", "2")
    await command("scale", "qa-service", "1")
    await command("scale", "qa-worker", "1")
    return [name for name in REPLACED if before[name][-1] == after[name][-1]]


@asynccontextmanager
async def people(count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of so many new accounts."""
    url, clients = os.environ["GATEWAY_URL"], list[httpx.AsyncClient]()
    for _ in range(count):
        clients.append(httpx.AsyncClient(base_url=url, timeout=60, verify=False))  # noqa: S501
        body = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(8), "fullName": "Ada"}
        answer = await clients[-1].post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        clients[-1].headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
    yield clients
    for client in clients:
        await client.aclose()


def token_of(person: httpx.AsyncClient) -> str:
    return person.headers["Authorization"].removeprefix("Bearer ")


async def until_told(notifications: Stream, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(told(notifications)) < count and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def told(notifications: Stream) -> list[dict[str, Any]]:
    """The notifications that came live."""
    return [event["data"] for event in notifications.events if event["event"] == "notification"]


async def titles(person: httpx.AsyncClient) -> list[str]:
    """Of all sessions of a person."""
    found, page = list[str](), {"nextCursor": ""}
    while page["nextCursor"] is not None:
        params = {"limit": "100"} | ({"cursor": page["nextCursor"]} if page["nextCursor"] else {})
        page = (await person.get("/api/v1/sessions", params=params)).json()
        found += [session["title"] for session in page["items"]]
    return found


async def count_questions(person: httpx.AsyncClient, session_id: str) -> int:
    return len((await person.get(f"/api/v1/sessions/{session_id}/questions", params={"limit": 100})).json()["items"])


def test_every_instance_is_a_new_process_and_as_many_run_as_before(outcome: Outcome) -> None:
    assert outcome.kept == []
    assert set(outcome.counts.values()) == {1}


def test_no_request_fails(outcome: Outcome) -> None:
    result = outcome.load
    assert dict(result.failures) == {}
    assert result.sent == len(result.seconds) >= 200
    assert len(result.by_route) == 9


def test_what_was_accepted_is_there_once(outcome: Outcome) -> None:
    *load, uploader = outcome.listed
    assert {token: len(outcome.listed[token]) for token in load} == dict(outcome.load.created)
    assert set(outcome.uploads.statuses) == {201}
    expected = Counter(f"slow {number}" for number in range(len(outcome.uploads.statuses)))
    assert Counter(outcome.listed[uploader]) == expected


def test_a_request_that_an_instance_still_reads_when_it_closes_is_finished(outcome: Outcome, suite: Suite) -> None:
    finished = 0
    for file in suite.state.logs.glob("qa-service-*.log"):
        closing: datetime | None = None
        for line in map(json.loads, filter(lambda text: text.startswith("{"), file.read_text().splitlines())):
            at = datetime.fromisoformat(line["timestamp"])
            if line["event"] == "closing":
                closing = at
            elif line["event"] == "request" and closing and at - closing < timedelta(seconds=SLOW_SECONDS):
                finished += line["method"] == "POST" and line["durationMs"] > SLOW_SECONDS * 800
    assert finished >= 1


def test_a_stream_of_events_brings_each_once_though_its_instance_goes(outcome: Outcome) -> None:
    stream = outcome.notifications
    assert stream.faults == []
    assert stream.opened >= 3  # the one more instance, and the old one, have gone in between
    assert Counter(one["data"]["sessionId"] for one in told(stream)) == Counter(list(outcome.jobs.started))


def test_jobs_are_done_once_each_and_told_to_their_end(outcome: Outcome) -> None:
    jobs = outcome.jobs
    assert jobs.faults == []
    assert len(jobs.started) >= 10
    assert set(outcome.questions.values()) == {QUESTIONS}
    for stream in jobs.started.values():
        ends = [event["event"] for event in stream.events if event["event"] in {"succeeded", "failed", "cancelled"}]
        assert (ends, stream.faults) == (["succeeded"], [])
