"""Killed processes: the gateway goes on answering, and what died comes back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from intervai_shared.testing import Person

#: A read of each service that a signed-in person may do.
READS = {
    "auth-service": "/.well-known/jwks.json",
    "user-service": "/api/v1/users/me",
    "qa-service": "/api/v1/sessions",
    "export-service": "/api/v1/exports",
}
#: Seconds that a killed process may take to be back.
PATIENCE_SECONDS = 30


def suite(*command: str) -> str:
    """The output of a runner command on the suite under test."""
    done = subprocess.run(
        [sys.executable, "-m", "intervai_local", *command], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def pid_of(name: str) -> int:
    """The process id of an instance, by `status`."""
    rows = [line.split() for line in suite("status").splitlines() if line.startswith(f"{name} ")]
    assert rows, suite("status")
    return int(next(word for word in rows[0][1:] if word.isdecimal()))


async def until_answering(client: httpx.AsyncClient, path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (await client.get(path)).status_code != 200:
        assert time.monotonic() < deadline, path
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("victim", READS)
async def test_a_killed_api_process_leaves_the_gateway_answering(victim: str, person: Person) -> None:
    for path in READS.values():
        assert (await person.http.get(path)).status_code == 200
    os.kill(pid_of(f"{victim}-1"), signal.SIGKILL)
    for service, path in READS.items():
        answer = await person.http.get(path)
        expected = {200} if service != victim else {200, 502, 503, 504}
        assert answer.status_code in expected, (service, answer.text)
    await until_answering(person.http, READS[victim])


@pytest.fixture
async def two_qa_services() -> AsyncIterator[None]:
    """The suite with a second instance of qa-service."""
    suite("scale", "qa-service", "2")
    assert pid_of("qa-service-2")
    yield
    suite("scale", "qa-service", "1")


@pytest.mark.timeout(180)
async def test_with_two_instances_a_killed_one_is_hardly_noticed(two_qa_services: None, person: Person) -> None:
    path, asked = READS["qa-service"], 300
    await until_answering(person.http, path)
    failed = 0
    for number in range(asked):
        if number == 50:
            os.kill(pid_of("qa-service-1"), signal.SIGKILL)
        failed += (await person.http.get(path)).status_code != 200
    assert failed <= asked * 0.02, f"{failed} of {asked} requests failed"
    await until_answering(person.http, path)


async def test_a_worker_that_is_killed_loses_no_job(person: Person) -> None:
    os.kill(pid_of("qa-worker-1"), signal.SIGKILL)
    body = {"role": "Backend engineer", "experience": "mid", "topics": ["SQL"], "questionCount": 3}
    session = (await person.http.post("/api/v1/sessions", json=body)).json()
    deadline = time.monotonic() + PATIENCE_SECONDS + 60
    while (job := (await person.http.get(f"/api/v1/jobs/{session['generation']['jobId']}")).json())["status"] in {
        "queued",
        "running",
    }:
        assert time.monotonic() < deadline, job
        await asyncio.sleep(0.1)
    assert job["status"] == "succeeded"
    questions = (await person.http.get(f"/api/v1/sessions/{session['id']}/questions")).json()["items"]
    assert len(questions) == 3
