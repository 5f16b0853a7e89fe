"""Whether a tier carries a load: use of each resource against the targets of tiers.yaml, and what is short."""

import math
from dataclasses import dataclass
from functools import partial

from intervai_capacity.measured import WORKERS, Measured, Process
from intervai_capacity.needs import Needs, needs_of
from intervai_capacity.tiers import SERVICES, CapacityError, Load, Plan, Tier, Tiers

#: Beside the instances that a tier names: the scheduler, of which one leads, on the smallest plan.
SCHEDULER_PLAN = "starter"


@dataclass(frozen=True)
class Group:
    """The instances of one process, `one` of them as it was measured; cores of all of them together. `needed`: how many
    instances of this plan bring CPU under its target."""

    process: str
    instances: int
    plan_name: str
    plan: Plan
    one: Process
    cores: float
    usable_cores: float
    needed: int

    @property
    def cpu_percent(self) -> float:
        """Of what these instances can use."""
        return self.cores / (self.instances * self.usable_cores) * 100

    @property
    def memory_percent(self) -> float:
        """Of one instance, at its usual work."""
        return self.one.work / self.plan.memory_mb * 100


@dataclass(frozen=True)
class Store:
    """A database: MiB used and there, None if not known. `days`: until the target is reached."""

    name: str
    used_mb: float
    size_mb: float | None
    days: float | None = None

    @property
    def percent(self) -> float | None:
        """Of its size."""
        return self.used_mb / self.size_mb * 100 if self.size_mb else None


@dataclass(frozen=True)
class Verdict:
    """`short`: what does not suffice; `notes`: what one should know all the same."""

    tier: Tier
    load: Load
    needs: Needs
    groups: tuple[Group, ...]
    mongo: Store
    redis: Store
    short: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Nothing is short."""
        return not self.short


def judge(tiers: Tiers, tier: Tier, measured: Measured, load: Load | None = None) -> Verdict:
    """A tier under its own load, or another one.

    Raises:
        CapacityError: a plan of Mongo whose size nobody knows.
    """
    load = load or tier.load
    needs = needs_of(load, measured)
    groups = _groups(tiers, tier, needs, measured)
    mongo, redis = _mongo(tiers, tier, needs, measured), _redis(tiers, tier, needs)
    short = [*_short_cpu(tiers, groups), *_short_memory(tiers, groups), *_short_slots(tier, needs, measured)]
    short += [*_short_mongo(mongo, measured), *_short_redis(tiers, redis)]
    notes = tuple(_notes(tier, groups))
    return Verdict(tier, load, needs, groups, mongo, redis, tuple(short), notes)


def _groups(tiers: Tiers, tier: Tier, needs: Needs, measured: Measured) -> tuple[Group, ...]:
    a_group = partial(_group, tiers, needs, measured)
    return (
        *(a_group(service, tier.api.instances, tier.api.plan) for service in SERVICES),
        *(a_group(worker, tier.worker.instances, tier.worker.plan) for worker in WORKERS),
        a_group("gateway", 2 if tier.edge.balancer else 1, tier.api.plan),
        a_group("scheduler", 1, SCHEDULER_PLAN),
    )


def _group(tiers: Tiers, needs: Needs, measured: Measured, process: str, instances: int, plan_name: str) -> Group:
    name, plan = tiers.bought(plan_name)
    usable = min(plan.cpu or 0, measured.assumptions.usable_cores.get(process, 1.0))
    one = measured.processes[process]
    room = usable * tiers.scaling.target_cpu_percent / 100 - one.idle_cores
    needed = max(1, math.ceil(needs.cores[process] / room - 1e-9))
    cores = needs.cores[process] + instances * one.idle_cores
    return Group(process, instances, name, plan, one, cores, usable, needed)


def _mongo(tiers: Tiers, tier: Tier, needs: Needs, measured: Measured) -> Store:
    plan = tier.mongo.plan
    if plan not in measured.mongo_plans and not tier.mongo.memory_mb:
        raise CapacityError(
            f"{tier.name}: neither tiers.yaml nor measured.yaml says how large the Mongo plan {plan} is"
        )
    size = float(tier.mongo.memory_mb or measured.mongo_plans[plan].storage_mb)
    free = size * tiers.scaling.target_memory_percent / 100 - needs.mongo_week_mb
    days = max(0.0, free / needs.mongo_daily_mb) if needs.mongo_daily_mb else math.inf
    used = needs.mongo_week_mb + needs.mongo_daily_mb * measured.assumptions.storage_days
    return Store(f"Mongo {plan}", used, size, days)


def _redis(tiers: Tiers, tier: Tier, needs: Needs) -> Store:
    plan = tiers.prices.redis[tier.redis.plan]
    return Store(f"Redis {tier.redis.plan}, {tier.redis.topology}", needs.redis_mb, plan.memory_mb)


def _short_cpu(tiers: Tiers, groups: tuple[Group, ...]) -> list[str]:
    most = tiers.scaling.max_instances
    return [
        f"CPU of {group.process}: {group.cpu_percent:.0f} % in the busiest minute; {group.needed} instances would do"
        + (f", more than the {most} that scaling allows" if group.needed > most else "")
        for group in groups
        if group.cpu_percent > tiers.scaling.target_cpu_percent
    ]


def _short_memory(tiers: Tiers, groups: tuple[Group, ...]) -> list[str]:
    return [
        f"memory of {group.process}: {group.one.work} of {group.plan.memory_mb} MiB at its usual work"
        for group in groups
        if group.memory_percent > tiers.scaling.target_memory_percent
    ]


def _short_slots(tier: Tier, needs: Needs, measured: Measured) -> list[str]:
    slots = tier.worker.instances * measured.assumptions.generations_at_a_time
    if needs.generations <= slots:
        return []
    return [f"qa-worker: {needs.generations:.0f} generations at a time, of {slots}"]


def _short_mongo(mongo: Store, measured: Measured) -> list[str]:
    wanted = measured.assumptions.storage_days
    if mongo.days is None or mongo.days >= wanted:
        return []
    return [
        f"{mongo.name}: its {mongo.size_mb:.0f} MiB are full to the target after {mongo.days:.0f} days, not {wanted}"
    ]


def _short_redis(tiers: Tiers, redis: Store) -> list[str]:
    if redis.percent is None:
        return [f"{redis.name}: nobody says how large it is"]
    if redis.percent <= tiers.scaling.target_memory_percent:
        return []
    return [f"{redis.name}: {redis.used_mb:.0f} of {redis.size_mb:.0f} MiB"]


def _notes(tier: Tier, groups: tuple[Group, ...]) -> list[str]:
    notes = [
        f"{each.process}: {each.one.worst} MiB in the worst case, of {each.plan.memory_mb}: {each.one.source}"
        for each in groups
        if each.one.worst and each.one.worst > each.plan.memory_mb
    ]
    unused = sorted({group.plan_name for group in groups if group.usable_cores < (group.plan.cpu or 0)})
    if unused:
        notes.append(f"plan {', '.join(unused)}: an API process or worker uses one core, the others lie idle")
    if tier.api.instances == 1:
        notes.append("one instance of each: a restart or a deploy is a gap")
    return notes
