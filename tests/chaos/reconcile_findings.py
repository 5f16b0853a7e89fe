"""What a check may find, and the comparison that most of them make."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.ledger import ACCEPTED, UNKNOWN

LOST, DOUBLED, STUCK, ORPHAN = "lost", "doubled", "stuck", "orphan"
KINDS = (LOST, DOUBLED, STUCK, ORPHAN)


@dataclass(frozen=True)
class Finding:
    """One breach of the promise. `id` names the thing, `what` says it in a sentence."""

    kind: str
    id: str
    what: str


def once(outcome: str, found: Sequence[Any], name: str, what: str, fate: str | None = None) -> Iterator[Finding]:
    """An accepted thing is there once, one of unknown outcome at most once, a refused one never. `fate` is what became
    of its deletion."""
    if len(found) > 1:
        yield Finding(DOUBLED, name, f"{what} is there {len(found)} times")
    if outcome == ACCEPTED and not found and fate is None:
        yield Finding(LOST, name, f"{what} was accepted and is not there")
    if found and fate == ACCEPTED:
        yield Finding(LOST, name, f"the deletion of {what} was accepted, and it is there")
    if found and outcome not in {ACCEPTED, UNKNOWN}:
        yield Finding(ORPHAN, name, f"{what} was refused, and is there")
