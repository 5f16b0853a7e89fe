"""The reconciler: holds the ledger against what is there. It only reads, and takes both as plain data."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tests.chaos.ledger import Ledger
from tests.chaos.reconcile_events import deliveries, events, leftovers, letters
from tests.chaos.reconcile_exports import exports
from tests.chaos.reconcile_findings import KINDS, Finding
from tests.chaos.reconcile_people import changes, people
from tests.chaos.reconcile_sessions import generations, own_questions, question_sets, sessions
from tests.chaos.snapshot import Snapshot

Check = Callable[[Ledger, Snapshot], Iterator[Finding]]


def _surprises(ledger: Ledger, _: Snapshot) -> Iterator[Finding]:
    """What a person was told along the way that cannot be."""
    for surprise in ledger.surprises:
        yield Finding(surprise.kind, surprise.id, surprise.what)


#: Every promise that is looked after.
CHECKS: Sequence[Check] = (
    _surprises,
    people,
    changes,
    sessions,
    generations,
    question_sets,
    own_questions,
    exports,
    events,
    deliveries,
    letters,
    leftovers,
)


def check(ledger: Ledger, found: Snapshot) -> list[Finding]:
    """All that is lost, doubled, stuck or an orphan."""
    return [finding for one in CHECKS for finding in one(ledger, found)]


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """How many of each kind; those that are not there are 0."""
    numbers = Counter(finding.kind for finding in findings)
    return {kind: numbers[kind] for kind in KINDS}
