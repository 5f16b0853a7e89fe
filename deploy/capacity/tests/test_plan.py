"""The planner reckons as one would by hand, and says what does not suffice and what has no price."""

import sys
from typing import Any

import pytest

from intervai_capacity import __main__ as command
from intervai_capacity.costs import costs_of, model_costs
from intervai_capacity.measured import MEASURED_FILE, Measured, load_measured
from intervai_capacity.needs import MIB, needs_of
from intervai_capacity.plan import judge
from intervai_capacity.tiers import CapacityError, Load, Tiers, read


def load(requests: float, questions: float = 0, exports: float = 0) -> Load:
    return Load(requests_per_minute=requests, questions_per_day=questions, exports_per_day=exports)


def changed(measured: Measured, **parts: Any) -> Measured:
    return measured.model_copy(update=parts)


def test_requests_cost_their_share_of_cpu(measured: Measured) -> None:
    kind = measured.requests[0].model_copy(update={"share": 1.0, "cpu_ms": {"qa-service": 6.0, "gateway": 1.0}})
    given = measured.assumptions.model_copy(update={"peak_requests": 2.0})
    cores = needs_of(load(600), changed(measured, requests=(kind,), assumptions=given)).cores
    assert cores["qa-service"] == pytest.approx(10 * 2 * 6 / 1000)  # 10 a second, twice that in the busiest minute
    assert cores["gateway"] == pytest.approx(0.02)
    assert cores["export-worker"] == 0


def test_jobs_leave_bytes_behind(measured: Measured) -> None:
    given = measured.assumptions.model_copy(update={"questions_per_generation": 10, "export_days": 7})
    work = {"cpu_ms": {"qa-worker": 86_400_000.0}, "mongo_bytes": MIB, "mongo_week_bytes": 0, "redis_bytes": 0}
    generation = measured.generation.model_copy(update=work)
    export = measured.export.model_copy(update={"cpu_ms": {}, "mongo_bytes": 0, "s3_bytes": MIB})
    needs = needs_of(load(0, 50, 3), changed(measured, generation=generation, export=export, assumptions=given))
    assert needs.mongo_daily_mb == pytest.approx(5)  # five generations of ten
    assert needs.s3_mb == pytest.approx(3 * 7)
    assert needs.cores["qa-worker"] == pytest.approx(5 * given.peak_jobs)
    assert needs.input_tokens == pytest.approx(5 * measured.tokens.input)


def test_twice_the_load_is_twice_the_use(tiers: Tiers, measured: Measured) -> None:
    tier = tiers.by_name["tier-3"]
    once, twice = (judge(tiers, tier, measured, load(*(n * f for n in (1000, 9000, 90)))) for f in (1, 2))
    for one, two in zip(once.groups, twice.groups, strict=True):
        assert two.cores - one.cores == pytest.approx(one.cores - one.instances * one.one.idle_cores)
    assert twice.needs.mongo_daily_mb == pytest.approx(2 * once.needs.mongo_daily_mb)


def test_each_limit_is_noticed(tiers: Tiers, measured: Measured) -> None:
    tier = tiers.by_name["tier-1"]
    assert judge(tiers, tier, measured, load(1)).fits
    short = "\n".join(judge(tiers, tier, measured, load(1e6, 1e7, 1e6)).short)
    for part in ("CPU of qa-service", "CPU of export-worker", "generations at a time", "Mongo M0", "Redis 30mb"):
        assert part in short
    assert "more than the 10 that scaling allows" in short


def test_memory_above_its_target_is_short(tiers: Tiers, measured: Measured) -> None:
    large = measured.processes["qa-worker"].model_copy(update={"work": 450})
    verdict = judge(
        tiers, tiers.tiers[0], changed(measured, processes={**measured.processes, "qa-worker": large}), load(1)
    )
    assert verdict.short == ("memory of qa-worker: 450 of 512 MiB at its usual work",)


def test_as_many_instances_as_are_said_to_do_do(tiers: Tiers, measured: Measured) -> None:
    """What `needed` names brings every process under the target, and one instance less does not."""
    target = tiers.scaling.target_cpu_percent / 100
    for group in judge(tiers, tiers.by_name["tier-4"], measured, load(500_000, 5e7, 5e6)).groups:
        work = group.cores - group.instances * group.one.idle_cores
        room = group.usable_cores * target - group.one.idle_cores
        assert work <= group.needed * room + 1e-6
        assert group.needed == 1 or work > (group.needed - 1) * room


def test_more_cores_than_a_process_can_use_do_not_count(tiers: Tiers, measured: Measured) -> None:
    groups = {group.process: group for group in judge(tiers, tiers.by_name["tier-4"], measured).groups}
    assert groups["qa-service"].plan.cpu == 2
    assert groups["qa-service"].usable_cores == 1
    assert groups["export-worker"].usable_cores == 2


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("tier-1", 8 * 7 + 7 + 7),
        ("tier-2", 16 * 25 + 2 * 25 + 7 + 57 + 7),
        ("tier-3", 40 * 25 + 2 * 25 + 7 + 232 + 15),
        ("tier-4", 80 * 85 + 2 * 85 + 7 + 60),
    ],
)
def test_the_bill(tiers: Tiers, measured: Measured, name: str, total: float) -> None:
    """Four services, each with its API and its worker; gateway and scheduler on top."""
    assert costs_of(tiers, judge(tiers, tiers.by_name[name], measured)).total == total


def test_what_has_no_price_is_named(tiers: Tiers, measured: Measured) -> None:
    costs = costs_of(tiers, judge(tiers, tiers.by_name["tier-4"], measured))
    assert {"Mongo M60", "2 read replicas of Mongo", "the CDN", "the edge cache"} <= set(costs.unpriced)
    assert not any("M60" in name for name in costs.parts)


def test_the_model_costs_what_qa_service_would_book(tiers: Tiers, measured: Measured) -> None:
    verdict = judge(tiers, tiers.tiers[0], measured)
    input_tokens, output_tokens = (30 * n for n in (verdict.needs.input_tokens, verdict.needs.output_tokens))
    expected = (input_tokens * 0.15 + output_tokens * 0.60) / 1e6
    assert model_costs(verdict, "gpt-4o-mini-2024-07-18") == pytest.approx(expected)
    with pytest.raises(CapacityError, match="no price of sphinx-1"):
        model_costs(verdict, "sphinx-1")


def test_figures_that_do_not_fit_are_refused(tmp_path: Any) -> None:
    text = MEASURED_FILE.read_text()
    for old, new, said in (
        ("share:", "share: 1.1 #", "share"),
        ("  gateway: {", "  gatekeeper: {", "gateway is missing"),
    ):
        file = tmp_path / "measured.yaml"
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(CapacityError, match=said):
            read(Measured, file)
    assert load_measured().requests


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["intervai_capacity", *arguments])
    return command.main()


def test_the_command_shows_every_tier(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "plan")
    shown = capsys.readouterr().out
    for part in ("tier-1: 100 requests", "tier-4: 10,000 requests", "Mongo M60", "times the mean", "scheduler"):
        assert part in shown


def test_the_cheapest_that_carries_a_load(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "plan", "--requests", "10", "--questions", "100", "--exports", "10") == 0
    assert "tier-1 is the cheapest that carries it" in capsys.readouterr().out
    assert run(monkeypatch, "plan", "--requests", "10,000", "--questions", "200000") == 0
    shown = capsys.readouterr().out
    assert "tier-1 does not: " in shown
    assert "tier-1 is the cheapest" not in shown
    assert run(monkeypatch, "plan", "--requests", "9000000", "--questions", "9000000000") == 1
    assert "no tier carries it" in capsys.readouterr().out


def test_wrong_questions_get_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "plan", "--tier", "tier-9") == 1
    assert capsys.readouterr().err == "there is no tier-9; there are tier-1, tier-2, tier-3, tier-4\n"
    with pytest.raises(SystemExit):
        run(monkeypatch, "plan", "--requests", "-1")
