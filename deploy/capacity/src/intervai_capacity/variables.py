"""deploy/compose/tier-N.env, which deploy/compose/scaled.yml reads; and what the gateway on Render reads as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from intervai_capacity.tiers import REPOSITORY, Api, Tier, Tiers, Worker

COMPOSE = REPOSITORY / "deploy" / "compose"
BALANCER = REPOSITORY / "gateway" / "load-balancer.yml"
RENDER_BALANCER = REPOSITORY / "deploy" / "render" / "gateway" / "load-balancer.json"


def tier_variables(tiers: Tiers, tier: Tier) -> str:
    """Instances, memory and cores of a tier's processes, as Compose's --env-file has them."""
    lines = [f"# The instances of {tier.name}, written by `make blueprints` from deploy/tiers.yaml."]
    for name, process in (("API", tier.api), ("WORKER", tier.worker)):
        memory, cores = _size(tiers, process)
        lines += [f"{name}_REPLICAS={process.instances}", f"{name}_MEMORY={memory}m", f"{name}_CPUS={cores:g}"]
    return "\n".join(lines) + "\n"


def _size(tiers: Tiers, process: Api | Worker) -> tuple[int, float]:
    """Memory as the tier says, also where a larger plan is bought; cores of what is bought."""
    return tiers.prices.plans[process.plan].memory_mb, tiers.bought(process.plan)[1].cpu or 1


def files(tiers: Tiers) -> Iterator[tuple[Path, str]]:
    """Every such file with its text."""
    for tier in tiers.tiers:
        yield COMPOSE / f"{tier.name}.env", tier_variables(tiers, tier)
    yield RENDER_BALANCER, json.dumps(yaml.safe_load(BALANCER.read_text()), indent=1) + "\n"
