"""How a generation is divided into calls, and what each is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from intervai_shared.models import Document

#: Questions that the model is told not to repeat. All others are caught when they come.
MOST_EXCLUDED = 100


@dataclass(frozen=True)
class Lane:
    """Calls one after the other, beside those of other lanes. The same in every attempt at a job: its number is a part
    of the names of its calls."""

    number: int
    topics: list[str]
    share: int


def lanes_of(job: Document, session: Document, batch: int, most: int) -> list[Lane]:
    """Several for more questions than one call makes, when there are topics to divide: calls that know nothing of each
    other would give the same questions on the same topic."""
    topics, count = topics_of(job, session), job["count"]
    number = max(1, min(most, len(topics), -(-count // batch)))
    return [Lane(place, topics[place::number], count // number + (place < count % number)) for place in range(number)]


def topics_of(job: Document, session: Document) -> list[str]:
    """Those that were asked for, else those of the session."""
    return list(dict.fromkeys(job.get("topics") or session["topics"]))


def interview_of(job: Document, session: Document, topics: list[str], count: int, exclude: list[str]) -> Document:
    """What a call is asked."""
    return {
        "role": session["role"],
        "experience": session["experience"],
        "topics": topics,
        "count": count,
        "difficulty": job.get("difficulty"),
        "exclude": exclude,
        "jobDescription": session.get("jobDescription"),
        "resume": session.get("resumeText"),
    }


def excluded(written: Sequence[str], others: Sequence[Document], topics: list[str]) -> list[str]:
    """The texts of this run, the newest first; those of the session; then those of other sessions, first on the same
    topics. `others`: `{text, category, session}`, the session's first."""
    wanted = {topic.casefold() for topic in topics}
    session = others[0]["session"] if others else None
    near = sorted(
        others, key=lambda one: (one["session"] != session, one["category"].casefold() not in wanted)
    )  # stable: the newest stay first
    texts = [*reversed(written), *(one["text"] for one in near)]
    return list(dict.fromkeys(texts))[:MOST_EXCLUDED]
