"""measured.yaml, typed: what was measured, what the vendors say, and what is only assumed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from intervai_capacity.tiers import SERVICES, Model, read

MEASURED_FILE = Path(__file__).with_name("measured.yaml")
WORKERS = tuple(service.replace("-service", "-worker") for service in SERVICES)
#: All that the planner reckons with: the eight of the tiers, and what stands beside them.
PROCESSES = (*SERVICES, *WORKERS, "gateway", "scheduler")
#: ms of CPU, by process.
Cpu = Mapping[str, NonNegativeFloat]


class Process(Model):
    """MiB: at rest, at its usual work, and in the worst case that its settings allow. `idle_cores`: CPU without any
    work, in seconds a second: queues are asked, locks renewed."""

    idle_cores: NonNegativeFloat
    rest: PositiveInt
    work: PositiveInt
    worst: PositiveInt | None = None
    source: str


class Request(Model):
    """A kind of request: its share of all, and its CPU."""

    name: str
    share: PositiveFloat = Field(le=1)
    cpu_ms: Cpu
    source: str


class Work(Model):
    """A job from its request to its end, with the requests around it. Bytes are left behind: in Mongo for good, in
    Mongo for a week (outbox, inbox), in Redis for a day, in S3 until it expires."""

    cpu_ms: Cpu
    mongo_bytes: NonNegativeFloat
    mongo_week_bytes: NonNegativeFloat = 0
    redis_bytes: NonNegativeFloat = 0
    s3_bytes: NonNegativeFloat = 0
    source: str


class Person(Model):
    """Bytes of an account with one log-in session and its cached profile."""

    mongo_bytes: NonNegativeFloat
    redis_bytes: NonNegativeFloat
    source: str


class Tokens(Model):
    """Of one generation."""

    input: NonNegativeFloat
    output: NonNegativeFloat
    source: str


class RedisAtRest(Model):
    """MiB without any data."""

    mb: PositiveFloat
    source: str


class MongoPlan(Model):
    """What Atlas gives: storage in MiB."""

    storage_mb: PositiveInt
    source: str


class Assumptions(Model):
    """What nobody has measured. `peak_*`: the busiest minute as a multiple of the mean; `usable_cores`: how many one
    process can use, by its name; `reply_seconds`: of the language model, for one generation."""

    peak_requests: PositiveFloat
    peak_jobs: PositiveFloat
    questions_per_generation: PositiveInt
    questions_per_person_per_day: PositiveFloat
    signed_in_per_daily_person: PositiveFloat
    reply_seconds: PositiveFloat
    generations_at_a_time: PositiveInt
    export_days: PositiveInt
    cached_hours: PositiveFloat
    storage_days: PositiveInt
    usable_cores: Mapping[str, PositiveFloat]


class Measured(Model):
    """The whole file."""

    assumptions: Assumptions
    processes: Mapping[str, Process]
    requests: tuple[Request, ...]
    generation: Work
    export: Work
    person: Person
    tokens: Tokens
    redis: RedisAtRest
    mongo_plans: Mapping[str, MongoPlan]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if missing := set(PROCESSES) - self.processes.keys():
            raise ValueError(f"processes: {', '.join(sorted(missing))} is missing")
        if abs(sum(request.share for request in self.requests) - 1) > 0.001:
            raise ValueError("requests: their shares must add up to 1")
        for cpu in (*(request.cpu_ms for request in self.requests), self.generation.cpu_ms, self.export.cpu_ms):
            if unknown := cpu.keys() - set(PROCESSES):
                raise ValueError(f"cpu_ms: {', '.join(sorted(unknown))} is no process")
        return self


def load_measured(file: Path = MEASURED_FILE) -> Measured:
    """The figures.

    Raises:
        CapacityError: a line for each that is wrong.
    """
    return read(Measured, file)
