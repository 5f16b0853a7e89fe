"""Many callers at once, one flight."""

import asyncio

import pytest

from export_service.exports.single_flight import SingleFlight


class Work:
    """Work that ends when it is told to; counts how often it was begun."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        if self._error:
            raise self._error
        return self.begun


async def test_those_who_ask_meanwhile_get_the_same_result_and_the_next_one_a_new_one() -> None:
    flights, work = SingleFlight[int](), Work()
    callers = [asyncio.create_task(flights.do("a", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*callers) == [1, 1, 1]
    assert await flights.do("a", work) == 2


async def test_another_key_is_another_flight() -> None:
    flights, work = SingleFlight[int](), Work()
    work.may_end.set()
    assert sorted(await asyncio.gather(flights.do("a", work), flights.do("b", work))) == [1, 2]


async def test_an_error_is_everybodys_and_then_forgotten() -> None:
    flights, broken = SingleFlight[int](), Work(ValueError("no"))
    broken.may_end.set()
    found = await asyncio.gather(flights.do("a", broken), flights.do("a", broken), return_exceptions=True)
    assert [type(error) for error in found] == [ValueError, ValueError]
    work = Work()
    work.may_end.set()
    assert await flights.do("a", work) == 1


async def test_the_first_caller_who_is_cancelled_takes_nothing_from_the_others() -> None:
    flights, work = SingleFlight[int](), Work()
    first, second = (asyncio.create_task(flights.do("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.may_end.set()
    assert (await second, work.begun) == (1, 1)
