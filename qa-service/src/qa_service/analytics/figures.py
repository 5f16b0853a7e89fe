"""The figures of the answers, from the documents of the projection `progress`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from intervai_shared.models import Document
from qa_service.analytics.progress_repository import field_of, text_of
from qa_service.analytics.schemas import (
    Activity,
    DayScores,
    Group,
    MyTopic,
    Progress,
    Scores,
    SessionAnalytics,
    SessionDay,
    SessionQuestions,
    TopicScores,
    Totals,
)
from qa_service.practice.rubric import BANDS

#: From this score on an answer is good, as the feedback to it says too.
GOOD_SCORE = {band: least for least, band in BANDS}["good"]
DIFFICULTIES = ("easy", "medium", "hard")


def totals(counts: Document, days: Sequence[Document]) -> Totals:
    """Of a person. `counts`: their sessions and questions; `days`: all that they practised on."""
    sums = {name: sum(day.get(name, 0) for day in days) for name in ("attempts", "scoreSum", "reviews", "interviews")}
    best = max((day["best"] for day in days if "best" in day), default=None)
    return Totals(
        **_scores({**sums, "best": best}),
        sessions=counts.get("sessions", 0),
        questions=max(0, counts.get("questions", 0)),
        reviews=sums["reviews"],
        interviews=sums["interviews"],
    )


def my_topic(topic: Document, days: Sequence[Document]) -> MyTopic:
    """One topic of a person, with the days on which it was practised among those given."""
    recent = [entry["score"] for entry in topic["recent"]]
    before, earlier = topic["attempts"] - len(recent), topic["scoreSum"] - sum(recent)
    recent_mean = sum(recent) / len(recent)
    field = field_of(topic["topic"])
    practised = [(day["day"], (day.get("topics") or {}).get(field)) for day in days]
    return MyTopic(
        **_scores(topic),
        topic=topic["topic"],
        recent_mean=round(recent_mean, 1),
        trend=round(recent_mean - earlier / before, 1) if before else None,
        days=[_day_scores(day, counted) for day, counted in practised if counted],
    )


def activity(day: Document) -> Activity:
    """What a person did on a day."""
    return Activity(**_counted(day["day"], day))


def of_session(found: Document) -> SessionAnalytics:
    """All of a session."""
    return SessionAnalytics(
        session_id=found["_id"],
        created_at=found.get("createdAt"),
        questions=_questions(found),
        progress=_progress(found),
        scores=Scores(**_scores(found)),
        topics=_topics(found.get("topics", {})),
        reviews=found.get("reviews", 0),
        interviews=found.get("interviews", 0),
        days=[
            SessionDay(**_counted(day, counted), questions=counted.get("questions", 0))
            for day, counted in sorted(found.get("days", {}).items())
        ],
    )


def _questions(found: Document) -> SessionQuestions:
    by_difficulty, by_category = Counter[str](), Counter[str]()
    for category, difficulties in found.get("groups", {}).items():
        for difficulty, count in difficulties.items():
            by_difficulty[text_of(difficulty)] += count
            by_category[text_of(category)] += count
    in_order = {name: by_difficulty[name] for name in DIFFICULTIES}
    return SessionQuestions(
        total=_present(found),
        by_difficulty=[Group(name=name, count=count) for name, count in in_order.items() if count > 0],
        by_category=_largest_first(by_category),
    )


def _present(found: Document) -> int:
    """Questions that the session has now: less than none while an event is still on its way."""
    return max(0, int(found.get("questionCount", 0)))


def _largest_first(counts: Mapping[str, int]) -> list[Group]:
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Group(name=name, count=count) for name, count in ordered if count > 0]


def _progress(found: Document) -> Progress:
    gone = found.get("gone", {})
    best = [entry["best"] for question, entry in found.get("questions", {}).items() if question not in gone]
    good = sum(score >= GOOD_SCORE for score in best)
    return Progress(
        practised=len(best),
        practised_share=_share(len(best), _present(found)),
        good=good,
        good_share=_share(good, _present(found)),
    )


def _share(part: int, whole: int) -> float:
    return round(min(1.0, part / whole), 3) if whole else 0.0


def _topics(topics: Document) -> list[TopicScores]:
    shown = [TopicScores(**_scores(counted), topic=text_of(field)) for field, counted in topics.items()]
    return sorted(shown, key=lambda topic: (-topic.attempts, topic.topic))


def _scores(counted: Document) -> Document:
    """The fields of `Scores`."""
    return {
        "attempts": counted.get("attempts", 0),
        "mean_score": _mean(counted),
        "best_score": counted.get("best"),
    }


def _counted(day: str, counted: Document) -> Document:
    """The fields of `Activity`."""
    done = {name: counted.get(name, 0) for name in ("attempts", "reviews", "interviews")}
    return {**done, "day": date.fromisoformat(day), "mean_score": _mean(counted)}


def _day_scores(day: str, counted: Document) -> DayScores:
    return DayScores(day=date.fromisoformat(day), attempts=counted["attempts"], mean_score=_mean(counted))


def _mean(counted: Document) -> float | None:
    attempts = counted.get("attempts", 0)
    return round(counted["scoreSum"] / attempts, 1) if attempts else None
