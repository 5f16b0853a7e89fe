"""The ledger: every request that the people of a chaos run made, and what became of it."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: The definite answer was a success: the effect must be there, once.
ACCEPTED = "accepted"
#: The definite answer was a refusal: there must be no effect.
REFUSED = "refused"
#: No definite answer came: zero or one effect is right, two never.
UNKNOWN = "unknown"


@dataclass
class Request:
    """One thing that a person wanted, with all its tries.

    `subject` is the id of what it is about, `wanted` what was asked, `answer` the body of the definite answer.
    `seconds` is the time from the first try to the last answer, `statuses` counts all answers (`cut`: none came).
    """

    kind: str
    person: str
    subject: str | None = None
    wanted: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    outcome: str = UNKNOWN
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The id that the answer gave to what was made; empty without an answer."""
        return str(self.answer.get("id", ""))

    @property
    def job(self) -> str:
        """The job that the request started; empty if it is not known, or there is none."""
        generation = self.answer.get("generation") or {}
        return str(self.answer.get("jobId") or generation.get("jobId") or "")

    @property
    def tries(self) -> int:
        """Answers and cut connections together."""
        return sum(self.statuses.values())


@dataclass
class Surprise:
    """An answer that no accepted request explains, for example a 404 of what was accepted."""

    kind: str
    what: str
    id: str


@dataclass
class Ledger:
    """All requests in the order in which they were begun: those of one person and one subject follow each other."""

    requests: list[Request] = field(default_factory=list)
    surprises: list[Surprise] = field(default_factory=list)
    #: Passwords of the people, by e-mail: an account that is there can be logged in to.
    people: dict[str, str] = field(default_factory=dict)
    _last_begun: float = 0.0
    _by_subject: dict[tuple[str, str | None], list[Request]] = field(default_factory=dict, repr=False)

    def begin(self, request: Request) -> Request:
        """Notes a request before its first try, so that one that never ended is known too."""
        self.requests.append(request)
        self._last_begun = time.monotonic()
        self._by_subject.setdefault((request.kind, request.subject), []).append(request)
        return request

    @property
    def idle(self) -> float:
        """Seconds since the last request was begun."""
        return time.monotonic() - self._last_begun

    def of(self, *kinds: str, outcome: str | None = None) -> list[Request]:
        """The requests of some kinds, in their order."""
        return [
            request
            for request in self.requests
            if request.kind in kinds and (outcome is None or request.outcome == outcome)
        ]

    def fate(self, kind: str, subject: str) -> str | None:
        """What became of the requests of a kind about a subject: accepted, unknown, or None when there was none."""
        outcomes = {request.outcome for request in self._by_subject.get((kind, subject), [])}
        return ACCEPTED if ACCEPTED in outcomes else UNKNOWN if UNKNOWN in outcomes else None

    def save(self, path: Path) -> None:
        """Writes it as JSON, for whoever looks into a loss."""
        requests = [vars(request) for request in self.requests]
        surprises = [vars(surprise) for surprise in self.surprises]
        path.write_text(json.dumps({"requests": requests, "surprises": surprises}, indent=1, default=str))
