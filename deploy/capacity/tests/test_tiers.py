"""tiers.yaml is read as it is, and what is wrong in it is said where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from intervai_capacity.tiers import CapacityError, Tiers, load_tiers

Written = Callable[[Any], Path]


def test_the_real_file_is_right(tiers: Tiers) -> None:
    assert list(tiers.by_name) == ["tier-1", "tier-2", "tier-3", "tier-4"]
    assert [tier.api.instances for tier in tiers.tiers] == [1, 2, 5, 10]


def test_a_plan_that_is_not_sold_is_bought_as_a_larger_one(tiers: Tiers) -> None:
    name, plan = tiers.bought("1gb")
    assert (name, plan.memory_mb) == ("standard", 2048)


def test_a_tier_that_does_not_say_has_three_workers(content: dict[str, Any], written: Written) -> None:
    del content["tiers"][0]["worker"]["instances"]
    assert load_tiers(written(content)).tiers[0].worker.instances == 3


def spoil(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            content = content[int(step) if step.isdigit() else step]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoil("tiers.0.api.instances", 0), "tiers.0.api.instances"),
        (spoil("tiers.1.api.plan", "huge"), "tier-2: huge is not in prices.plans"),
        (spoil("tiers.1.mongo.plan", "M7"), "tier-2: M7 is not in prices.mongo"),
        (spoil("tiers.2.redis.plan", "2gb"), "tier-3: 2gb is not in prices.redis"),
        (spoil("tiers.2.redis.topology", "ring"), "tiers.2.redis.topology"),
        (spoil("tiers.0.colour", "blue"), "tiers.0.colour"),
        (spoil("tiers.3.name", "tier-1"), "two tiers have the same name"),
        (spoil("prices.plans.1gb.buy_as", "1gb"), "prices.plans.1gb: buy_as names 1gb, which is not sold"),
        (spoil("prices.plans.pro", {"memory_mb": 1}), "a plan has cpu and usd, or buy_as"),
        (spoil("scaling.min_instances", 11), "min_instances is above max_instances"),
        (spoil("scaling.target_cpu_percent", 120), "scaling.target_cpu_percent"),
    ],
)
def test_what_is_wrong_is_named(
    change: Callable[[dict[str, Any]], None], said: str, content: dict[str, Any], written: Written
) -> None:
    change(content)
    with pytest.raises(CapacityError) as error:
        load_tiers(written(content))
    assert said in str(error.value)
    assert "tiers.yaml" in str(error.value)


def test_no_file_and_no_yaml_are_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(CapacityError, match="No such file"):
        load_tiers(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("tiers: [")
    with pytest.raises(CapacityError, match="is no YAML"):
        load_tiers(tmp_path / "bad.yaml")
