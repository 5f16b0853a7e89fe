"""A storm of log-ins must not stop the others: passwords are hashed on threads of their own, a few at a time."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from intervai_shared.testing import NewPerson, Person

LOGINS = 300
#: Milliseconds that 95 of 100 reads of another person may take meanwhile.
P95_MS = 200.0
StartAuth = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.mark.timeout(240)
async def test_three_hundred_log_ins_at_once_do_not_slow_down_anothers_profile(
    start_auth: StartAuth, person: Person, new_person: NewPerson
) -> None:
    """The storm meets a process that hashes as in production (64 MiB, three passes)."""
    auth = await start_auth(ARGON2_TIME_COST="3", ARGON2_MEMORY_KIB="65536", ARGON2_PARALLELISM="4")
    stranger = await new_person()
    assert (await stranger.http.get("/api/v1/users/me")).status_code == 200
    login = {"email": person.email, "password": "correct horse battery"}

    storm = [asyncio.create_task(auth.post("/api/v1/auth/login", json=login)) for _ in range(LOGINS)]
    milliseconds = []
    while not all(task.done() for task in storm):
        started = time.perf_counter()
        assert (await stranger.http.get("/api/v1/users/me")).status_code == 200
        milliseconds.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.01)
    answers = await asyncio.gather(*storm)

    assert {answer.status_code for answer in answers} == {200}
    assert len(milliseconds) >= 100
    assert statistics.quantiles(milliseconds, n=20)[-1] < P95_MS
