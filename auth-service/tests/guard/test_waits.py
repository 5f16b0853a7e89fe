"""Promises of the brute-force guard: who waits, and for how long."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard, names
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.models import Document

Wait = Callable[..., Awaitable[int]]


def new_caller() -> Caller:
    """Somebody in a network that nobody else has."""
    return Caller(f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1", "a browser")


def an_email() -> str:
    return f"{secrets.token_hex(8)}@example.com"


async def test_from_the_fifth_failure_on_each_wait_is_twice_as_long_up_to_a_quarter_of_an_hour(
    wrong: Wait, clock: Any
) -> None:
    key, caller = an_email(), new_caller()
    assert [await wrong(key, caller) for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(13):
        waits.append(await wrong(key, caller))
        clock.now += waits[-1]
        assert await wrong(key, caller) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


async def test_a_refused_try_is_not_counted_and_the_wait_runs_down(wrong: Wait, clock: Any) -> None:
    key, caller = an_email(), new_caller()
    for _ in range(8):
        clock.now += await wrong(key, caller) or 0
        await wrong(key, caller)
    first = await wrong(key, caller)
    assert {await wrong(key, caller) for _ in range(20)} == {first}
    clock.now += first - 1
    assert await wrong(key, caller) == 1


async def test_what_the_lock_of_an_account_refuses_does_not_count_against_the_address(
    wrong: Wait, account: Document, clock: Any
) -> None:
    key, caller = account["emailKey"], new_caller()
    for _ in range(25):
        clock.now += await wrong(key, new_caller(), account)
        await wrong(key, new_caller(), account)
    waits = [await wrong(key, caller, account) for _ in range(10)]
    assert 0 not in waits
    clock.now += waits[-1]
    assert await wrong(key, caller, account) == 0


async def test_a_right_password_must_wait_too(wrong: Wait, right: Wait, clock: Any) -> None:
    key, caller = an_email(), new_caller()
    for _ in range(5):
        await wrong(key, caller)
    assert await right(key, caller) == 1
    clock.now += 1
    assert await right(key, caller) == 0


async def test_success_forgives_what_the_caller_got_wrong(wrong: Wait, right: Wait, redis: Redis) -> None:
    key, caller = an_email(), new_caller()
    for _ in range(30):
        assert [await wrong(key, caller) for _ in range(4)] == [0] * 4
        assert await right(key, caller) == 0
    assert await redis.exists(*names("password", key, caller).values()) == 0


async def test_of_three_hundred_guesses_at_once_five_get_through(guard: LoginGuard) -> None:
    key, caller, looked_at = an_email(), new_caller(), []

    async def is_right() -> bool:
        looked_at.append(1)
        await asyncio.sleep(0.05)  # as long as the hash takes
        return False

    guesses = (guard.check("password", key, None, caller, is_right) for _ in range(300))
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert len(looked_at) == 5
    assert sum(isinstance(answer, TooManyRequestsError) for answer in answers) == 295


async def test_of_three_hundred_guesses_from_as_many_addresses_twenty_get_through(
    wrong: Wait, account: Document
) -> None:
    waits = await asyncio.gather(*(wrong(account["emailKey"], new_caller(), account) for _ in range(300)))
    assert waits.count(0) == 20
    assert set(waits) == {0, 1}


async def test_an_account_that_strangers_guess_at_is_open_to_its_owners_networks(
    wrong: Wait, right: Wait, account: Document, clock: Any
) -> None:
    key, home = account["emailKey"], account["home"]
    for _ in range(40):
        clock.now += await wrong(key, new_caller(), account)
    assert await wrong(key, new_caller(), account) > 0
    assert await right(key, new_caller(), account) > 0
    assert await wrong(key, home, account) == 0
    assert await right(key, home, account) == 0
    assert await wrong(key, new_caller(), account) > 0  # the owner's success lets no stranger in


async def test_who_guesses_in_the_owners_network_waits_as_well(wrong: Wait, account: Document) -> None:
    waits = [await wrong(account["emailKey"], account["home"], account) for _ in range(6)]
    assert waits == [0, 0, 0, 0, 0, 1]


async def test_an_address_that_tries_many_accounts_waits(wrong: Wait, right: Wait) -> None:
    caller = new_caller()
    waits = [await wrong(an_email(), caller) for _ in range(51)]
    assert waits == [0] * 50 + [1]
    assert await wrong(an_email(), new_caller()) == 0


async def test_who_has_an_account_cannot_wipe_out_with_it_what_they_do_to_others(
    wrong: Wait, right: Wait, account: Document
) -> None:
    attacker, through = new_caller(), 0
    for _ in range(60):
        through += await wrong(an_email(), attacker) == 0
        await right(account["emailKey"], attacker, account)
    assert through == 50
