"""Who has an account is nobody's business: answers are the same, and so is the time that they take.

Where register answers with tokens, its answer must tell whether an address was free (decision 17): nothing else does.
The suite under test hashes in milliseconds, so that a forgotten dummy hash would hide in the noise: these tests start
a process whose hashes take as long as they should. Known and unknown addresses take turns, so that whatever else the
machine does meets both.
"""

import secrets
import statistics
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from intervai_shared.testing import Person

AUTH = "/api/v1/auth"
TRIES = 200
#: By which the medians may differ: milliseconds, and on a busy machine a share. A hash that was left out is half.
MOST_MS, MOST_SHARE = 10.0, 0.15
#: About 40 ms on the build machine: four times what is to be noticed.
REAL_HASHES = {"ARGON2_TIME_COST": "3", "ARGON2_MEMORY_KIB": "32768", "ARGON2_PARALLELISM": "1"}
StartAuth = Callable[..., Awaitable[httpx.AsyncClient]]
Ask = Callable[[str], Awaitable[httpx.Response]]


async def medians(ask: Ask, known: str) -> tuple[float, float, list[set[tuple[int, str]]]]:
    """Milliseconds for the known and for unknown addresses, and the answers to each."""
    times: tuple[list[float], list[float]] = ([], [])
    answers: list[set[tuple[int, str]]] = [set(), set()]
    for number in range(TRIES):
        unknown = number % 2
        email = f"{secrets.token_hex(8)}@example.com" if unknown else known
        started = time.perf_counter()
        answer = await ask(email)
        times[unknown].append((time.perf_counter() - started) * 1000)
        body = answer.json() if answer.content else {}
        answers[unknown].add((answer.status_code, str({key: body[key] for key in sorted(body) if key != "requestId"})))
    return statistics.median(times[0]), statistics.median(times[1]), answers


def assert_alike(known: float, unknown: float) -> None:
    assert abs(known - unknown) < max(MOST_MS, MOST_SHARE * max(known, unknown)), (known, unknown)


@pytest.mark.timeout(180)
async def test_a_log_in_takes_as_long_for_an_unknown_address(start_auth: StartAuth, person: Person) -> None:
    auth = await start_auth(**REAL_HASHES)
    # The account's hash is made anew with these settings at its first log-in there.
    right = {"email": person.email, "password": "correct horse battery"}
    assert (await auth.post(f"{AUTH}/login", json=right)).status_code == 200

    async def ask(email: str) -> httpx.Response:
        return await auth.post(f"{AUTH}/login", json={"email": email, "password": "wrong horse battery"})

    known, unknown, answers = await medians(ask, person.email)
    assert known > 2 * MOST_MS, "the hashes are too cheap for this test to notice a missing one"
    assert_alike(known, unknown)
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1


@pytest.mark.timeout(180)
async def test_where_registration_verifies_the_address_the_answer_tells_nothing_either(
    start_auth: StartAuth, person: Person
) -> None:
    auth = await start_auth(**REAL_HASHES, REGISTRATION_VERIFIES_EMAIL="true")

    async def ask(email: str) -> httpx.Response:
        body = {"email": email, "password": "correct horse battery", "fullName": "Ada Lovelace"}
        return await auth.post(f"{AUTH}/register", json=body)

    known, unknown, answers = await medians(ask, person.email)
    assert_alike(known, unknown)
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {202}


@pytest.mark.parametrize("path", ["password/forgot", "email/resend"])
async def test_asking_for_a_letter_takes_as_long_and_answers_the_same(
    gateway: httpx.AsyncClient, person: Person, path: str
) -> None:
    async def ask(email: str) -> httpx.Response:
        return await gateway.post(f"{AUTH}/{path}", json={"email": email})

    known, unknown, answers = await medians(ask, person.email)
    assert_alike(known, unknown)
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {202}
