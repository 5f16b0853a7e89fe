"""The table of a run, on the terminal and as a page."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.faults import KINDS as FAULT_KINDS
from tests.chaos.faults import Fault
from tests.chaos.ledger import ACCEPTED, REFUSED, UNKNOWN, Ledger
from tests.chaos.reconcile import counted
from tests.chaos.reconcile_findings import Finding
from tests.chaos.snapshot import Snapshot

#: Findings that are shown one by one.
SHOWN = 60
PAGE = Path(__file__).with_name("page.md")


@dataclass(frozen=True)
class Run:
    """All that a run has to tell. `minutes` is how long the faults took, `settled` the seconds until all was quiet."""

    seed: int
    ledger: Ledger
    faults: Sequence[Fault]
    found: Snapshot
    findings: Sequence[Finding]
    minutes: float
    settled: float
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled, stuck or orphaned."""
        return not self.findings


Rows = list[tuple[str, ...]]


def tables(run: Run) -> list[tuple[str, Rows]]:
    """Each table as its title and its rows, the first of them the head."""
    return [
        ("Outcome", outcome(run)),
        ("Requests", requests(run.ledger)),
        ("Faults", faults(run.faults)),
        ("Jobs under faults, seconds from accepted to ended", latencies(run.found)),
    ]


def outcome(run: Run) -> Rows:
    """The numbers that decide."""
    accepted = len([request for request in run.ledger.requests if request.outcome == ACCEPTED])
    numbers = {
        "faults": len(run.faults),
        "requests": len(run.ledger.requests),
        "accepted": accepted,
        "without a definite answer": len([r for r in run.ledger.requests if r.outcome == UNKNOWN]),
        "people": len(run.ledger.people),
        "minutes of faults": f"{run.minutes:.1f}",
        "seconds until all was quiet": f"{run.settled:.0f}",
        **counted(run.findings),
    }
    return [("what", "number"), *((name, str(number)) for name, number in numbers.items())]


def requests(ledger: Ledger) -> Rows:
    """By kind: how many, how they ended, how often they had to be sent, what came back, the slowest."""
    head = ("request", "all", ACCEPTED, REFUSED, UNKNOWN, "tries", "answers", "slowest s")
    rows: Rows = [head]
    for kind in sorted({request.kind for request in ledger.requests}):
        of_kind = ledger.of(kind)
        ended = Counter(request.outcome for request in of_kind)
        answers = sum((request.statuses for request in of_kind), Counter[str]())
        shown = ", ".join(f"{status}: {number}" for status, number in sorted(answers.items()))
        slowest = max(request.seconds for request in of_kind)
        numbers = (len(of_kind), ended[ACCEPTED], ended[REFUSED], ended[UNKNOWN], sum(answers.values()))
        rows.append((kind, *map(str, numbers), shown, f"{slowest:.1f}"))
    return rows


def faults(injected: Sequence[Fault]) -> Rows:
    """By victim: the faults of each kind, and how long until the first good answer."""
    rows: Rows = [("victim", *FAULT_KINDS, "median recovery s", "slowest s")]
    for victim in sorted({fault.victim for fault in injected}):
        own = [fault for fault in injected if fault.victim == victim]
        kinds = Counter(fault.kind for fault in own)
        times = [fault.recovery for fault in own if fault.recovery is not None]
        slowest = f"{max(times):.1f}" if len(times) == len(own) else "not back in time"
        median = f"{statistics.median(times):.1f}" if times else "-"
        rows.append((victim, *(str(kinds[kind]) for kind in FAULT_KINDS), median, slowest))
    return rows


def latencies(found: Snapshot) -> Rows:
    """Of the jobs that ended well."""
    rows: Rows = [("job", "number", "p50", "p95", "max")]
    for name, records in (("generation", found.of("qa", "jobs")), ("export", found.of("export", "exports"))):
        times = sorted(
            (job["finishedAt"] - job["createdAt"]).total_seconds() for job in records if job["status"] == "succeeded"
        )
        if times:
            points = (times[len(times) // 2], times[int(len(times) * 0.95)], times[-1])
            rows.append((name, str(len(times)), *(f"{point:.2f}" for point in points)))
    return rows


def show(run: Run, console: Console) -> None:
    """Prints the tables, and what was found with its ids."""
    for title, (head, *rows) in tables(run):
        table = Table(*head, title=title, title_justify="left", box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()
    for finding in run.findings[:SHOWN]:
        console.print(f"{finding.kind} {finding.id}: {finding.what}", markup=False)
    if len(run.findings) > SHOWN:
        console.print(f"and {len(run.findings) - SHOWN} more")


def write(run: Run, path: Path) -> None:
    """The same as a Markdown page, after the words of page.md."""
    parts = [PAGE.read_text().replace("SEED", str(run.seed)).rstrip()]
    for title, rows in tables(run):
        parts.append(f"### {title}\n\n{_markdown(rows)}")
    if run.findings:
        parts.append("### Findings\n\n" + "\n".join(f"- {f.kind} `{f.id}`: {f.what}" for f in run.findings[:SHOWN]))
    path.write_text("\n\n".join(parts) + "\n")


def _markdown(rows: Rows) -> str:
    head, *body = rows
    line = "|" + "|".join("---" for _ in head) + "|"
    return "\n".join(["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in body)])
