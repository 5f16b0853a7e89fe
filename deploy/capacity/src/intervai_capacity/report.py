"""The planner's pages."""

import math

from rich.console import Console
from rich.table import Table

from intervai_capacity.costs import Costs
from intervai_capacity.measured import Measured
from intervai_capacity.plan import Group, Store, Verdict
from intervai_capacity.tiers import Load, Tiers


def show(console: Console, tiers: Tiers, verdict: Verdict, costs: Costs, model: tuple[str, float]) -> None:
    """A tier: its processes, its stores, the verdict, the costs."""
    console.rule(f"{verdict.tier.name}: {load_text(verdict.load)}", align="left")
    console.print(_processes(verdict.groups))
    console.print(_stores(verdict))
    if verdict.fits:
        cpu, memory = tiers.scaling.target_cpu_percent, tiers.scaling.target_memory_percent
        console.print(f"[green]fits[/]: nothing above {cpu} % of CPU or {memory} % of memory and storage")
    for line in verdict.short:
        console.print(f"[red]short[/]: {line}")
    for line in verdict.notes:
        console.print(f"note: {line}")
    console.print(f"costs ${costs.total:,.0f} a month: {_bill(costs)}")
    console.print(f"  not in it, for there is no price: {', '.join(costs.unpriced)}")
    console.print(f"  beside it the language model: ${model[1]:,.0f} a month with {model[0]}, without shared sets")
    console.print()


def load_text(load: Load) -> str:
    """In words."""
    return (
        f"{load.requests_per_minute:,.0f} requests a minute, {load.questions_per_day:,.0f} questions and "
        f"{load.exports_per_day:,.0f} exports a day"
    )


def assumptions(console: Console, measured: Measured) -> None:
    """What the figures rest on."""
    given = measured.assumptions
    console.print(
        f"The busiest minute has {given.peak_requests:g} times the mean of requests, and {given.peak_jobs:g} times "
        f"that of jobs. Instances are of each of the four services; gateway and scheduler come on top. Mongo must hold "
        f"{given.storage_days} days. Where each figure is from: deploy/capacity/src/intervai_capacity/measured.yaml."
    )


def _processes(groups: tuple[Group, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("process", "plan"):
        table.add_column(name)
    for name in ("instances", "cores used", "CPU %", "needed", "MiB at rest", "at work", "of", "memory %"):
        table.add_column(name, justify="right")
    for group in groups:
        figures = [f"{group.instances}", f"{group.cores:.2f}", f"{group.cpu_percent:.0f}", f"{group.needed}"]
        figures += [f"{group.one.rest}", f"{group.one.work}", f"{group.plan.memory_mb}"]
        table.add_row(group.process, group.plan_name, *figures, f"{group.memory_percent:.0f}")
    return table


def _stores(verdict: Verdict) -> str:
    needs, mongo = verdict.needs, verdict.mongo
    lines = [
        f"{_store(mongo)}; grows {needs.mongo_daily_mb:.1f} MiB a day, so its target is reached after {_days(mongo)}",
        f"{_store(verdict.redis)}; {needs.people:,.0f} people signed in",
        f"S3: {needs.s3_mb / 1024:.2f} GB of files that have not expired",
        f"language model: {needs.generations:.0f} generations at a time",
    ]
    return "\n".join(lines)


def _store(store: Store) -> str:
    if store.size_mb is None or store.percent is None:
        return f"{store.name}: {store.used_mb:,.0f} MiB of an unknown size"
    return f"{store.name}: {store.used_mb:,.0f} of {store.size_mb:,.0f} MiB, {store.percent:.0f} %"


def _days(store: Store) -> str:
    return "never" if store.days is None or math.isinf(store.days) else f"{store.days:,.0f} days"


def _bill(costs: Costs) -> str:
    return ", ".join(f"{name} ${usd:,.0f}" for name, usd in costs.parts.items())
