"""What the scores of an interview say, without any model."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import mean
from typing import Any

from bson import ObjectId

from intervai_shared.models import Document
from qa_service.mock_interviews.choosing import LEVELS
from qa_service.practice.rubric import band_of

STRENGTH, GAP = 70, 55
MOST_POINTS, MOST_QUESTIONS = 20, 10


def report_of(interview: Document, attempts: Sequence[Document]) -> Document:
    """The report of an interview that has ended, in the shape of `schemas.Report`."""
    by_id = {attempt["_id"]: attempt for attempt in attempts}
    asked = interview["asked"]
    topics = _shares(asked, by_id, "category", sorted({entry["category"] for entry in asked}))
    return {
        **_totals(asked, by_id),
        "usedSeconds": _seconds(interview["createdAt"], interview["finishedAt"]),
        "topics": topics,
        "difficulties": _shares(asked, by_id, "difficulty", LEVELS),
        "strengths": _named(topics, lambda score: score >= STRENGTH),
        "gaps": _named(topics, lambda score: score < GAP),
        "missed": _missed(asked, by_id),
        "studyNext": _study_next(asked, by_id),
        "advice": None,
    }


def _totals(asked: Sequence[Document], attempts: Mapping[ObjectId, Document]) -> Document:
    answers = [entry for entry in asked if entry["attempt"]]
    scores = [score for entry in asked if (score := _score(entry, attempts)) is not None]
    seconds = [taken for entry in answers if (taken := seconds_of(entry)) is not None]
    total = round(mean(scores)) if scores else None
    return {
        "score": total,
        "band": None if total is None else band_of(total),
        "asked": len(asked),
        "answered": len(answers),
        "scored": len(scores),
        "skipped": sum(entry["skipped"] for entry in asked),
        "late": sum(entry["late"] for entry in asked),
        "meanSeconds": round(mean(seconds), 1) if seconds else None,
    }


def seconds_of(entry: Document) -> float | None:
    """How long an answer took; None: there is none."""
    return _seconds(entry["askedAt"], entry["answeredAt"]) if entry["answeredAt"] else None


def _seconds(begin: datetime, end: datetime) -> float:
    return round((end - begin).total_seconds(), 1)


def _score(entry: Document, attempts: Mapping[ObjectId, Document]) -> int | None:
    attempt = attempts.get(entry["attempt"])
    return attempt["score"] if attempt and attempt["status"] == "scored" else None


def _shares(
    asked: Sequence[Document], attempts: Mapping[ObjectId, Document], field: str, names: Sequence[str]
) -> list[Document]:
    shares = []
    for name in names:
        entries = [entry for entry in asked if entry[field] == name]
        scores = [score for entry in entries if (score := _score(entry, attempts)) is not None]
        if entries:
            score = round(mean(scores)) if scores else None
            shares.append({"name": name, "asked": len(entries), "scored": len(scores), "score": score})
    return shares


def _named(shares: Sequence[Document], holds: Callable[[int], bool]) -> list[str]:
    found = [share for share in shares if share["score"] is not None and holds(share["score"])]
    return [share["name"] for share in sorted(found, key=lambda share: (-share["score"], share["name"]))]


def _missed(asked: Sequence[Document], attempts: Mapping[ObjectId, Document]) -> list[Document]:
    """Key points that were not made, those of the weakest answers first."""
    scored = [entry for entry in asked if _score(entry, attempts) is not None]
    found: list[Document] = []
    for entry in sorted(scored, key=lambda entry: attempts[entry["attempt"]]["score"]):
        about = {"category": entry["category"], "questionId": str(entry["question"])}
        found += [{**about, "text": text} for text in attempts[entry["attempt"]]["feedback"]["missing"]]
    return found[:MOST_POINTS]


def _study_next(asked: Sequence[Document], attempts: Mapping[ObjectId, Document]) -> list[Document]:
    """What to look at again: what was skipped or not reached, then the weakest answers."""
    found: list[tuple[Any, Document]] = []
    for number, entry in enumerate(asked):
        score = _score(entry, attempts)
        if entry["attempt"] and (score is None or score >= STRENGTH):
            continue
        reason = "low" if entry["attempt"] else "skipped" if entry["skipped"] else "unanswered"
        what = {"questionId": str(entry["question"]), "category": entry["category"], "text": entry["text"]}
        found.append(((score or 0, number), {**what, "score": score, "reason": reason}))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])[:MOST_QUESTIONS]]
