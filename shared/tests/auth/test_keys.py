"""How the public keys are fetched and kept."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intervai_shared.auth import keys
from intervai_shared.errors import UnauthenticatedError, UnavailableError

pytestmark = pytest.mark.usefixtures("no_waits")


@pytest.fixture
def clock(clock_of: Any) -> Any:
    return clock_of(keys)


async def test_fifty_requests_at_once_cause_one_fetch(issuer: Any) -> None:
    found = await asyncio.gather(*(issuer.key_set.get("k1") for _ in range(50)))
    assert {key.key_id for key in found} == {"k1"}
    assert issuer.fetches == 1


async def test_a_hundred_forged_key_ids_at_once_cause_one_fetch(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    for wave in (1, 2):  # the second one within the cool-down of the first
        clock.ahead = keys.UNKNOWN_KEY_SECONDS + wave
        forged = (issuer.key_set.get(f"forged-{n}") for n in range(100))
        answers = await asyncio.gather(*forged, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnauthenticatedError}
        assert issuer.fetches == 2


async def test_a_new_key_is_found_once_the_cool_down_is_over(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    issuer.keys["k2"] = Ed25519PrivateKey.generate()
    clock.ahead = keys.UNKNOWN_KEY_SECONDS + 1
    assert (await issuer.key_set.get("k2")).key_id == "k2"
    assert issuer.fetches == 2


async def test_old_keys_are_fetched_again_behind_the_request(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    del issuer.keys["k1"]
    issuer.keys["k2"] = Ed25519PrivateKey.generate()
    clock.ahead = keys.REFRESH_SECONDS + 1
    for _ in range(10):
        await issuer.key_set.get("k1")  # still answered, and at once
    await issuer.key_set._refreshing
    assert issuer.fetches == 2
    assert (await issuer.key_set.get("k2")).key_id == "k2"


async def test_keys_that_nobody_asked_for_in_long_are_fetched_before_they_are_used(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    del issuer.keys["k1"]
    issuer.keys["k2"] = Ed25519PrivateKey.generate()
    clock.ahead = keys.IDLE_SECONDS + 1
    answers = await asyncio.gather(*(issuer.key_set.get("k1") for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnauthenticatedError}
    assert issuer.fetches == 2


async def test_keys_that_nobody_asked_for_in_long_live_on_while_auth_service_is_down(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    issuer.down = True
    clock.ahead = keys.IDLE_SECONDS + 1
    found = await asyncio.gather(*(issuer.key_set.get("k1") for _ in range(20)))
    assert {key.key_id for key in found} == {"k1"}
    assert issuer.fetches == 4  # one, and three attempts for all of them


async def test_known_keys_live_on_while_auth_service_is_down(issuer: Any, clock: Any) -> None:
    await issuer.key_set.get("k1")
    issuer.down = True
    clock.ahead = keys.REFRESH_SECONDS + 1
    await issuer.key_set.get("k1")
    await issuer.key_set._refreshing
    assert issuer.fetches == 4  # one, and three attempts
    assert (await issuer.key_set.get("k1")).key_id == "k1"


async def test_with_known_keys_a_forged_key_id_is_refused_and_not_retried_while_auth_service_is_down(
    issuer: Any, clock: Any
) -> None:
    await issuer.key_set.get("k1")
    issuer.down = True
    clock.ahead = keys.UNKNOWN_KEY_SECONDS + 1
    for _ in range(5):
        with pytest.raises(UnauthenticatedError):
            await issuer.key_set.get("forged")
    assert issuer.fetches == 4


async def test_without_any_key_ever_fetched_it_says_unavailable(issuer: Any) -> None:
    issuer.down = True
    with pytest.raises(UnavailableError):
        await issuer.key_set.get("k1")


async def test_while_no_key_could_be_fetched_requests_do_not_queue_up_for_a_fetch_each(issuer: Any) -> None:
    issuer.down = True
    answers = await asyncio.gather(*(issuer.key_set.get("k1") for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    assert issuer.fetches == 3


async def test_the_first_key_is_there_soon_after_auth_service_is(issuer: Any, clock: Any) -> None:
    issuer.down = True
    with pytest.raises(UnavailableError):
        await issuer.key_set.get("k1")
    issuer.down = False
    clock.ahead = 1.5
    assert (await issuer.key_set.get("k1")).key_id == "k1"
