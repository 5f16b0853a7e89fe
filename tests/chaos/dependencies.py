"""What is promised when a part is lost: data that docs/operations.md shows and test_dependencies.py proves.

`python -m tests.chaos.dependencies` writes the table into the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- table: dependency loss -->", "<!-- end of table -->"

#: Ways to lose a part, as the proxy makes them.
DOWN, CUT, BLACK_HOLE, SLOW = "down", "cut", "black hole", "slow"
FAULTS = (DOWN, CUT, BLACK_HOLE, SLOW)
SLOW_SECONDS = 2.0

#: What may come of a request.
ANSWERS, REFUSED, EITHER = "answers", "503", "answers or 503"
#: Seconds that no request may exceed, whatever is lost: the sum of the time-outs on the longest way (a POST with an
#: idempotency key on a Mongo that is 2 s late for each operation), with room for a busy machine.
MOST_SECONDS = 25.0
#: Seconds after which everything must answer again once the part is back.
HEAL_SECONDS = 30.0

#: The requests of the matrix: their name in `dependencies_people`, and what the page calls them.
REQUESTS: Mapping[str, str] = {
    "keys": "public keys",
    "register": "register",
    "log_in": "log in",
    "refresh": "refresh",
    "log_out": "log out",
    "profile": "read profile",
    "change_profile": "change profile",
    "list_sessions": "list sessions",
    "change_session": "change session",
    "new_session": "new session",
    "new_session_with_key": "new session with `Idempotency-Key`",
    "job": "read job",
    "job_events": "follow job",
    "trending": "trending",
    "internal_session": "internal read",
    "new_export": "new export",
    "export": "read export",
    "download": "download link",
    "delete_export": "delete export",
}


@dataclass(frozen=True)
class Loss:
    """The loss of one part: what comes of the requests named in `refused` and `either` (all others answer), which
    processes say `not ready`, and what an operator should know. A fault in `by_fault` has its own sets."""

    title: str
    refused: frozenset[str]
    either: frozenset[str] = frozenset()
    by_fault: Mapping[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    ill: str | None = None
    ill_at: frozenset[str] = frozenset()
    not_ready: frozenset[str] = frozenset()
    jobs: str = ""
    note: str = ""

    def expected(self, request: str, fault: str) -> str:
        refused, either = self.by_fault.get(fault, (self.refused, self.either))
        return REFUSED if request in refused else EITHER if request in either else ANSWERS


NOTHING: frozenset[str] = frozenset()
EVERYWHERE = frozenset(
    f"{domain}-{kind}" for domain in ("auth", "user", "qa", "export") for kind in ("service", "worker")
)
_WITHOUT_MONGO = frozenset({"keys", "log_out", "profile", "trending"})
_TRANSACTIONS = frozenset({"register", "change_profile", "new_session", "new_session_with_key", "new_export"})
_LOG_INS = frozenset({"register", "log_in", "refresh", "log_out"})

LOSSES: Mapping[str, Loss] = {
    "mongo": Loss(
        "MongoDB",
        refused=frozenset(REQUESTS) - _WITHOUT_MONGO,
        by_fault={SLOW: (_TRANSACTIONS, frozenset(REQUESTS) - _WITHOUT_MONGO - _TRANSACTIONS)},
        ill="mongo",
        ill_at=EVERYWHERE,
        not_ready=EVERYWHERE,
        jobs="what runs is done again once Mongo is back; nothing new is accepted",
        note="Refused after `MONGO_TIMEOUT_MS` (5 s). Profile and trending topics come from the cache (1 h, a "
        "day), else they are refused too. Slow, a request takes 2 s for each operation, and 2 s more where a "
        "connection must be opened; what would take 5 s is refused, so transactions, of more steps, always. A"
        " POST with an `Idempotency-Key` that was cut off halfway answers 409 with `Retry-After` until its "
        "lease has ended (1 min).",
    ),
    "redis": Loss(
        "Redis",
        refused=_LOG_INS,
        by_fault={SLOW: (NOTHING, _LOG_INS)},
        ill="redis",
        ill_at=EVERYWHERE,
        not_ready=frozenset({"auth-service", "auth-worker"}),
        jobs="accepted, kept in the outbox, done when Redis is back",
        note="Who is signed in works on. Rate limits let through (`intervai_rate_limit_unchecked_total`), caches "
        "miss, a job is followed by looking every 2 s. A log-out elsewhere is learnt when Redis is back; "
        "until then an access token lives to its end (10 min). Silent, the first request waits "
        "`REDIS_TIMEOUT_SECONDS` (3 s), the others pass by.",
    ),
    "s3": Loss(
        "S3",
        refused=frozenset({"delete_export"}),
        by_fault={SLOW: (NOTHING, NOTHING)},
        ill="s3",
        ill_at=frozenset({"export-service", "export-worker"}),
        jobs="exports are accepted and wait; attempts do not count for 30 min",
        note="Links are still made, for they are computed; what they lead to is S3's. Two tries of 5 s.",
    ),
    "llm": Loss(
        "Language model",
        refused=NOTHING,
        jobs="generations are accepted and wait; attempts do not count for 30 min",
        note="Only qa-worker asks it. No health check names it: it is not ours, and a probe would cost tokens.",
    ),
    "sister": Loss(
        "Internal gateway, or qa-service for export-service",
        refused=frozenset({"new_export"}),
        by_fault={SLOW: (NOTHING, NOTHING)},
        jobs="an export that was accepted waits until it can ask for its session",
        note="At most 10 s with its retries; after 8 failures in a row the circuit breaker refuses at once for 5 "
        "s. Signing keys that are known stay, so tokens are checked as before; a process that has just "
        "started has none, and refuses.",
    ),
    "smtp": Loss(
        "Mail server",
        refused=NOTHING,
        jobs="letters wait; attempts do not count for 30 min",
        note="Only auth-worker asks it, and no request waits for it. A letter that the server took without our "
        "hearing so goes out again under the same Message-ID.",
    ),
}


def table() -> str:
    """The page's table, in Markdown."""
    lines = ["| lost | 503 with `Retry-After` | answers or 503 | jobs | not ready |", "|---|---|---|---|---|"]
    for loss in LOSSES.values():
        for faults, (refused, either) in _grouped(loss).items():
            columns = [f"**{loss.title}** {faults}", _names(refused), _names(either, refused), loss.jobs or "-"]
            lines.append(f"| {' | '.join([*columns, _processes(loss)])} |")
    notes = [f"- **{loss.title}.** {loss.note}" for loss in LOSSES.values()]
    return "\n".join([*lines, "", *notes])


def _grouped(loss: Loss) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    usual = (loss.refused, loss.either - loss.refused)
    other = {fault: sets for fault, sets in loss.by_fault.items() if sets != usual}
    rest = ", ".join(fault for fault in FAULTS if fault not in other)
    return {rest if other else "in any way": usual, **other}


def _names(requests: frozenset[str], told: frozenset[str] = NOTHING) -> str:
    """As few names as say it; `told` stand in the column before."""
    if len(requests) > len(REQUESTS) / 2:
        return f"all{' others' if told else ''} but {_names(frozenset(REQUESTS) - requests - told)}"
    return ", ".join(title for name, title in REQUESTS.items() if name in requests) or "-"


def _processes(loss: Loss) -> str:
    if loss.not_ready == EVERYWHERE:
        return "all"
    return ", ".join(sorted(loss.not_ready)) or "none"


def page_with_table(page: str) -> str:
    """The page with its table as it should be."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))
