"""Promises of codes: each is good once, and not for long."""

import asyncio
import math
from typing import Any

import pytest
from bson import ObjectId

from auth_service.caller import Caller
from auth_service.container import AuthContainer
from auth_service.mfa import recovery_codes
from auth_service.mfa.schemas import SecondFactorProof
from auth_service.mfa.second_factor import SecondFactor
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.models import Document
from intervai_shared.mongo import Database

CALLER = Caller("203.0.113.7", "a browser")


class Check:
    """Checks codes of one account as a log-in does."""

    def __init__(self, factor: SecondFactor, database: Database, user: ObjectId) -> None:
        self._factor = factor
        self._database = database
        self._user = user

    async def account(self) -> Document:
        found = await self._database.accounts.find_one({"_id": self._user})
        assert found is not None
        return found

    async def __call__(self, **proof: str) -> bool:
        try:
            await self._factor.check(await self.account(), SecondFactorProof(**proof), CALLER, "login")
        except UnauthenticatedError:
            return False
        return True


@pytest.fixture
def is_good(container: AuthContainer, database: Database, protected: Any) -> Check:
    return Check(container.mfa.factor, database, protected.id)


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_is_taken_one_step_before_and_after_its_time(
    is_good: Check, protected: Any, steps: int, good: bool
) -> None:
    protected.device.wait(90)  # away from the code that switched it on
    assert await is_good(code=protected.device.code(steps)) is good


async def test_the_code_that_switched_it_on_is_used_up(is_good: Check, protected: Any) -> None:
    assert not await is_good(code=protected.device.code(-1))
    assert await is_good(code=protected.device.code())


async def test_a_code_is_good_once(is_good: Check, protected: Any) -> None:
    code = protected.device.code()
    assert await is_good(code=code)
    assert not await is_good(code=code)
    assert await is_good(code=protected.device.next_code())


async def test_a_used_code_takes_the_earlier_ones_with_it(is_good: Check, protected: Any) -> None:
    protected.device.wait(90)
    assert await is_good(code=protected.device.code())
    assert not await is_good(code=protected.device.code(-1))


async def test_of_fifty_parallel_uses_of_a_code_one_wins(is_good: Check, protected: Any) -> None:
    code = protected.device.code()
    assert sum(await asyncio.gather(*(is_good(code=code) for _ in range(50)))) == 1


async def test_a_recovery_code_is_good_once_and_the_others_stay_good(is_good: Check, protected: Any) -> None:
    for code in protected.recovery_codes:
        assert await is_good(recovery_code=code)
        assert not await is_good(recovery_code=code)
    assert (await is_good.account())["mfa"]["recoveryCodes"] == []


async def test_of_fifty_parallel_uses_of_a_recovery_code_one_wins(is_good: Check, protected: Any) -> None:
    code = protected.recovery_codes[0]
    assert sum(await asyncio.gather(*(is_good(recovery_code=code) for _ in range(50)))) == 1
    assert len((await is_good.account())["mfa"]["recoveryCodes"]) == 9


async def test_it_does_not_matter_how_a_recovery_code_is_typed(is_good: Check, protected: Any) -> None:
    plain, shouted, spaced = protected.recovery_codes[:3]
    assert await is_good(recovery_code=plain.replace("-", ""))
    assert await is_good(recovery_code=shouted.upper())
    assert await is_good(recovery_code=spaced.replace("-", " "))


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    for typed in ("o0il-abcd-efgh-jkmn", "OOLI ABCD EFGH JKMN"):
        assert recovery_codes.digest(typed) == recovery_codes.digest("0011abcdefghjkmn")
    assert recovery_codes.digest("0011abcdefghjkmp") != recovery_codes.digest("0011abcdefghjkmn")


async def test_a_code_for_the_secret_before_is_none(is_good: Check, protected: Any, database: Database) -> None:
    """The account was read, then the second factor was set up anew with another secret."""
    stale, factor = await is_good.account(), is_good._factor
    anew = {"mfa.totp.sealed": factor._authenticator.sealed("A" * 32, protected.id)}
    await database.accounts.update_one({"_id": protected.id}, {"$set": anew})
    with pytest.raises(UnauthenticatedError):
        await factor.check(stale, SecondFactorProof(code=protected.device.code()), CALLER, "login")


def test_recovery_codes_hold_80_random_bits_each() -> None:
    assert recovery_codes.LENGTH * math.log2(len(recovery_codes.ALPHABET)) == 80
    codes = [code for _ in range(100) for code in recovery_codes.new_codes()]
    assert len(set(codes)) == 1000
    assert {len(code.replace("-", "")) for code in codes} == {recovery_codes.LENGTH}
    assert {character for code in codes for character in code} == {*recovery_codes.ALPHABET, "-"}
