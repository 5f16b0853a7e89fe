"""What a load needs, by the figures of measured.yaml, wherever it runs."""

from dataclasses import dataclass

from intervai_capacity.measured import PROCESSES, Measured
from intervai_capacity.tiers import Load

MINUTE, DAY = 60, 86_400
MIB = 2**20
WEEK_DAYS = 7


@dataclass(frozen=True)
class Needs:
    """`cores`: of each process in the busiest minute; `generations`: at work then; Mongo in MiB a day, and what stays
    for a week; Redis and S3 in MiB; tokens of the language model a day."""

    cores: dict[str, float]
    generations: float
    mongo_daily_mb: float
    mongo_week_mb: float
    people: float
    redis_mb: float
    s3_mb: float
    input_tokens: float
    output_tokens: float


def needs_of(load: Load, measured: Measured) -> Needs:
    """All of it."""
    given = measured.assumptions
    generations = load.questions_per_day / given.questions_per_generation
    people = load.questions_per_day / given.questions_per_person_per_day * given.signed_in_per_daily_person
    return Needs(
        cores={process: _cores(process, load, generations, measured) for process in PROCESSES},
        generations=generations / DAY * given.peak_jobs * given.reply_seconds,
        mongo_daily_mb=_of_jobs(load, generations, measured, "mongo_bytes"),
        mongo_week_mb=_of_jobs(load, generations, measured, "mongo_week_bytes") * WEEK_DAYS
        + people * measured.person.mongo_bytes / MIB,
        people=people,
        redis_mb=_redis(people, load, generations, measured),
        s3_mb=_of_jobs(load, generations, measured, "s3_bytes") * given.export_days,
        input_tokens=generations * measured.tokens.input,
        output_tokens=generations * measured.tokens.output,
    )


def _cores(process: str, load: Load, generations: float, measured: Measured) -> float:
    """Seconds of CPU a second."""
    given = measured.assumptions
    a_request = sum(request.share * request.cpu_ms.get(process, 0) for request in measured.requests)
    requests = load.requests_per_minute / MINUTE * given.peak_requests * a_request
    jobs = generations * measured.generation.cpu_ms.get(process, 0) + load.exports_per_day * measured.export.cpu_ms.get(
        process, 0
    )
    return (requests + jobs / DAY * given.peak_jobs) / 1000


def _of_jobs(load: Load, generations: float, measured: Measured, what: str) -> float:
    """MiB a day."""
    made = generations * getattr(measured.generation, what) + load.exports_per_day * getattr(measured.export, what)
    return float(made) / MIB


def _redis(people: float, load: Load, generations: float, measured: Measured) -> float:
    """At rest, everybody's log-in session, and what jobs leave in caches, streams and queues until it expires."""
    given = measured.assumptions
    kept = _of_jobs(load, generations, measured, "redis_bytes") * given.cached_hours / 24
    return measured.redis.mb + people * measured.person.redis_bytes / MIB + kept
