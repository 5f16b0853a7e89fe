"""deploy/tiers.yaml, typed: the four sizes, and what can be bought."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

REPOSITORY = Path(__file__).parents[4]
TIERS_FILE = REPOSITORY / "deploy" / "tiers.yaml"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
#: A tier that does not say how many workers it has: the requirements name three.
DEFAULT_WORKERS = 3


class CapacityError(Exception):
    """Something that the reader can mend; its text says what, a line each."""


class Model(BaseModel):
    """Nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ModelT = TypeVar("ModelT", bound=Model)


class Api(Model):
    """The API processes: so many of each of the four services, each on a plan of its own."""

    instances: PositiveInt
    plan: str


class Worker(Model):
    """The workers: so many of each of the four services."""

    instances: PositiveInt = DEFAULT_WORKERS
    plan: str


class Mongo(Model):
    """`memory_mb`: MiB of storage, where the plan is known for that number."""

    plan: str
    memory_mb: PositiveInt | None = None
    read_replicas: int = Field(0, ge=0)


class Redis(Model):
    """A plan of `prices.redis`; `topology`: one server, or a Cluster over which its memory is spread."""

    plan: str
    topology: Literal["single", "sentinel", "cluster"]


class Edge(Model):
    """What stands before the gateway."""

    balancer: bool
    cdn: bool
    edge_cache: bool


class Load(Model):
    """What a tier is for. Requests a minute in the mean; questions and exports made in a day."""

    requests_per_minute: NonNegativeFloat
    questions_per_day: NonNegativeFloat
    exports_per_day: NonNegativeFloat


class Tier(Model):
    """One of the sizes."""

    name: str
    api: Api
    worker: Worker
    mongo: Mongo
    redis: Redis
    edge: Edge
    load: Load


class Plan(Model):
    """Of a process: MiB, cores, dollars a month; or `buy_as`, a plan that is bought where this one is not sold."""

    memory_mb: PositiveInt
    cpu: PositiveFloat | None = None
    usd: NonNegativeFloat | None = None
    buy_as: str | None = None

    @model_validator(mode="after")
    def _is_sold(self) -> Self:
        if (self.buy_as is None) == (self.cpu is None) or (self.cpu is None) != (self.usd is None):
            raise ValueError("a plan has cpu and usd, or buy_as")
        return self


class DatabasePlan(Model):
    """`usd` a month; null: nobody has named a price."""

    memory_mb: PositiveInt | None = None
    usd: NonNegativeFloat | None


class Prices(Model):
    """What can be bought, by name."""

    plans: Mapping[str, Plan]
    mongo: Mapping[str, DatabasePlan]
    redis: Mapping[str, DatabasePlan]


class Scaling(Model):
    """The autoscaler's bounds, and the use of CPU and memory in percent that it aims at."""

    min_instances: PositiveInt
    max_instances: PositiveInt
    target_cpu_percent: int = Field(ge=1, le=90)
    target_memory_percent: int = Field(ge=1, le=90)


class Tiers(Model):
    """The whole file, in which every name that is used exists."""

    tiers: tuple[Tier, ...] = Field(min_length=1)
    prices: Prices
    scaling: Scaling

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        wrong = [line for tier in self.tiers for line in self._missing(tier)]
        wrong += [
            f"prices.plans.{name}: buy_as names {plan.buy_as}, which is not sold"
            for name, plan in self.prices.plans.items()
            if plan.buy_as and getattr(self.prices.plans.get(plan.buy_as), "cpu", None) is None
        ]
        if len({tier.name for tier in self.tiers}) < len(self.tiers):
            wrong.append("two tiers have the same name")
        if self.scaling.min_instances > self.scaling.max_instances:
            wrong.append("scaling: min_instances is above max_instances")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _missing(self, tier: Tier) -> list[str]:
        used = {
            "plans": (self.prices.plans, {tier.api.plan, tier.worker.plan}),
            "mongo": (self.prices.mongo, {tier.mongo.plan}),
            "redis": (self.prices.redis, {tier.redis.plan}),
        }
        return [
            f"{tier.name}: {name} is not in prices.{kind}"
            for kind, (known, names) in used.items()
            for name in sorted(names - known.keys())
        ]

    @cached_property
    def by_name(self) -> dict[str, Tier]:
        """The tiers by their names."""
        return {tier.name: tier for tier in self.tiers}

    def bought(self, plan: str) -> tuple[str, Plan]:
        """The plan that is really bought for this one, and its name."""
        name = self.prices.plans[plan].buy_as or plan
        return name, self.prices.plans[name]


def read(model: type[ModelT], file: Path) -> ModelT:
    """A YAML file as a model.

    Raises:
        CapacityError: it is not there, is no YAML, or does not fit: a line for each place that is wrong.
    """
    try:
        content: Any = yaml.safe_load(file.read_text())
        return model.model_validate(content)
    except OSError as error:
        raise CapacityError(f"{file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CapacityError(f"{file}: is no YAML: {error}") from error
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, wrong['loc'])) or 'the file'}: {wrong['msg']}" for wrong in error.errors())
        raise CapacityError("\n".join(f"{file}: {line}" for line in lines)) from error


def load_tiers(file: Path = TIERS_FILE) -> Tiers:
    """The tiers.

    Raises:
        CapacityError: as `read`.
    """
    return read(Tiers, file)
