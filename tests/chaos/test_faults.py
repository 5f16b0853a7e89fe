"""The order of the faults is fair, and the same for the same seed."""

from collections import Counter

import pytest

from tests.chaos.faults import KINDS, schedule

VICTIMS = [f"victim-{number}" for number in range(12)]


@pytest.mark.parametrize("count", [20, 36, 200])
def test_each_pair_of_victim_and_kind_comes_equally_often(count: int) -> None:
    pairs = Counter(schedule(VICTIMS, KINDS, count, seed=5))
    assert sum(pairs.values()) == count
    numbers = [pairs[victim, kind] for victim in VICTIMS for kind in KINDS]
    assert max(numbers) - min(numbers) <= 1


def test_each_victim_is_hit_once_before_one_is_hit_again() -> None:
    order = [victim for victim, _ in schedule(VICTIMS, KINDS, 72, seed=5)]
    for start in range(0, 72, len(VICTIMS)):
        assert set(order[start : start + len(VICTIMS)]) == set(VICTIMS)


def test_a_seed_gives_its_order_again_and_another_one_another() -> None:
    first = schedule(VICTIMS, KINDS, 36, seed=5)
    assert schedule(VICTIMS, KINDS, 36, seed=5) == first
    assert schedule(VICTIMS, KINDS, 36, seed=6) != first
