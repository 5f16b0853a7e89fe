"""An interview as data: how it begins, goes on and ends, and what its person sees of it. No queries here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bson import ObjectId

from intervai_shared.models import Document
from qa_service.mock_interviews.report import report_of, seconds_of
from qa_service.mock_interviews.schemas import InterviewStart

#: Seconds that an answer may be on its way.
GRACE_SECONDS = 2.0


def new_interview(
    session_id: ObjectId, wanted: InterviewStart, count: int, per_question: int, now: datetime
) -> Document:
    """One that begins now, with nothing asked yet."""
    total = wanted.total_seconds or count * per_question
    return {
        "_id": ObjectId(),
        "session": session_id,
        "status": "running",
        "version": 0,
        "questionCount": count,
        "secondsPerQuestion": per_question,
        "totalSeconds": total,
        "topics": wanted.topics,
        "endsAt": now + timedelta(seconds=total),
        "asked": [],
        "ended": None,
        "finishedAt": None,
        "report": None,
        "reportJob": None,
        "score": None,
        "createdAt": now,
        "updatedAt": now,
    }


def asked_now(question: Document, now: datetime) -> Document:
    """The entry of a question that is asked now."""
    what = {name: question[name] for name in ("text", "category", "difficulty")}
    state = {"answeredAt": None, "attempt": None, "skipped": False, "late": False}
    return {"question": question["_id"], **what, "askedAt": now, **state}


def open_entry(interview: Document) -> Document | None:
    """The question that waits for an answer."""
    if interview["status"] != "running" or not interview["asked"]:
        return None
    last: Document = interview["asked"][-1]
    return last if last["answeredAt"] is None else None


def closed(interview: Document, entry: Document, now: datetime, attempt: ObjectId | None) -> Document:
    """The entry with its answer, or skipped; late by the server's clock."""
    late = now > entry["askedAt"] + timedelta(seconds=interview["secondsPerQuestion"] + GRACE_SECONDS)
    return {**entry, "answeredAt": now, "attempt": attempt, "skipped": attempt is None, "late": late}


def is_over(interview: Document, now: datetime) -> bool:
    """Whether it runs though its time is up."""
    ends: datetime = interview["endsAt"]
    return interview["status"] == "running" and now > ends + timedelta(seconds=GRACE_SECONDS)


def ending(interview: Document, ended: str, now: datetime) -> Document:
    """The fields that end it; one whose time is up has ended when it was."""
    return {"status": "completed", "ended": ended, "finishedAt": min(now, interview["endsAt"])}


def view(interview: Document, attempts: Sequence[Document], now: datetime) -> Document:
    """What its person sees, in the shape of `schemas.Interview`; without a stored report one made of what is known."""
    by_id = {attempt["_id"]: attempt for attempt in attempts}
    is_running = interview["status"] == "running"
    remaining = max(0.0, (interview["endsAt"] - now).total_seconds()) if is_running else 0.0
    entry = open_entry(interview)
    given = [each for each in interview["asked"] if each is not entry]
    return {
        **interview,
        "sessionId": interview["session"],
        "reportJobId": interview["reportJob"],
        "remainingSeconds": round(remaining, 1),
        "question": entry and _now(interview, entry),
        "answers": [_given(each, by_id.get(each["attempt"])) for each in given],
        "report": None if is_running else interview["report"] or report_of(interview, attempts),
    }


def _now(interview: Document, entry: Document) -> Document:
    by = entry["askedAt"] + timedelta(seconds=interview["secondsPerQuestion"])
    number = len(interview["asked"])
    return {**entry, "questionId": entry["question"], "number": number, "answerBy": min(by, interview["endsAt"])}


def _given(entry: Document, attempt: Document | None) -> Document:
    seen = {**entry, "questionId": entry["question"], "attemptId": entry["attempt"], "seconds": seconds_of(entry)}
    if attempt is None:
        return seen
    return {**seen, "status": attempt["status"], "score": attempt["score"], "band": attempt.get("band")}
