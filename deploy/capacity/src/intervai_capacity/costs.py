"""What a tier costs a month, and what its use of the language model does. What has no price is named, never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass

from intervai_capacity.plan import Verdict
from intervai_capacity.tiers import SERVICES, CapacityError, Tiers
from qa_service.llm.options import DEFAULT_PRICES
from qa_service.settings import QaSettings

DAYS = 30
DEFAULT_MODEL = str(QaSettings.model_fields["openai_model"].default)


@dataclass(frozen=True)
class Costs:
    """Dollars a month. `parts`: by name; `unpriced`: what comes on top, of unknown price."""

    parts: dict[str, float]
    unpriced: tuple[str, ...]

    @property
    def total(self) -> float:
        """Of what has a price."""
        return sum(self.parts.values())


def costs_of(tiers: Tiers, verdict: Verdict) -> Costs:
    """Of the instances that the tier names, with the gateway and the scheduler; and of its databases."""
    tier, parts, unpriced = verdict.tier, dict[str, float](), list[str]()
    for name, dollars in _processes(verdict):
        parts[name] = parts.get(name, 0) + dollars
    for kind, plan, known in (
        ("Mongo", tier.mongo.plan, tiers.prices.mongo),
        ("Redis", tier.redis.plan, tiers.prices.redis),
    ):
        if (usd := known[plan].usd) is None:
            unpriced.append(f"{kind} {plan}")
        else:
            parts[f"{kind} {plan}"] = usd
    unpriced += [f"{tier.mongo.read_replicas} read replicas of Mongo"] if tier.mongo.read_replicas else []
    unpriced += ["a Redis Cluster, if it costs more than one server"] if tier.redis.topology == "cluster" else []
    unpriced += [name for name, used in (("the CDN", tier.edge.cdn), ("the edge cache", tier.edge.edge_cache)) if used]
    return Costs(parts, (*unpriced, "S3 and what is downloaded", "the mail server"))


def _processes(verdict: Verdict) -> Iterator[tuple[str, float]]:
    """The price of each process's instances; APIs under one name, and workers."""
    for group in verdict.groups:
        kind = {"service": "API processes", "worker": "workers"}.get(group.process.rpartition("-")[2], group.process)
        four = len(SERVICES) if group.process.endswith(("-service", "-worker")) else 1
        yield f"{group.instances * four} {kind} on {group.plan_name}", group.instances * (group.plan.usd or 0)


def model_costs(verdict: Verdict, model: str = DEFAULT_MODEL) -> float:
    """Dollars a month for the language model, by qa-service's price list.

    Raises:
        CapacityError: the list does not know the model.
    """
    found = max((name for name in DEFAULT_PRICES if model.startswith(name)), key=len, default=None)
    if found is None:
        raise CapacityError(f"qa-service has no price of {model}; it knows {', '.join(sorted(DEFAULT_PRICES))}")
    price = DEFAULT_PRICES[found]
    daily = verdict.needs.input_tokens * price.input + verdict.needs.output_tokens * price.output
    return daily * DAYS / 1e6
