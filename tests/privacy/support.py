"""What the tests of erasure do."""

import os
from pathlib import Path
from typing import Any

import httpx

from intervai_local.state import State
from intervai_local.supervisor import Supervisor
from intervai_shared.testing import Person
from tests.privacy.plant import until

SERVICES = {"auth-service", "user-service", "qa-service", "export-service"}
#: Seconds that an erasure may take, whatever is killed meanwhile.
PATIENCE_SECONDS = 180


async def erase(person: Person) -> dict[str, Any]:
    """The answer to the person's wish to be erased."""
    answer = await person.http.delete("/api/v1/users/me")
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def erased(gateway: httpx.AsyncClient, receipt: str) -> dict[str, Any]:
    """The erasure when it has ended."""
    path = f"/api/v1/users/erasures/{receipt}"
    done = await until(gateway, path, lambda answer: answer.json()["status"] == "succeeded", PATIENCE_SECONDS)
    return dict(done.json())


def pid_of(name: str) -> int:
    """The process id of an instance of the suite under test."""
    return Supervisor(State(Path(os.environ["STATE_DIR"]))).pids()[name][-1]
