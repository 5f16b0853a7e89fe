"""Projection `progress`: what a person has practised, by day, by topic and by interview session."""

from datetime import UTC, datetime

from bson import ObjectId

from intervai_shared.messaging.events.projections import Projection, View
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.analytics.progress_repository import INDEXES, ProgressWriter, field_of, merged, scored
from qa_service.events import (
    AnswerGraded,
    InterviewCompleted,
    QuestionReviewed,
    QuestionsAdded,
    QuestionsDeleted,
    QuestionsGenerated,
    SessionCreated,
    SessionDeleted,
)


async def begin_session(event: Document, view: View, session: Session) -> None:
    """Projects `session.created`."""
    change = {"$set": {"createdAt": datetime.fromisoformat(event["occurredAt"])}}
    await ProgressWriter(view, session).count_session(_user(event), event["aggregateId"], change)


async def end_session(event: Document, view: View, session: Session) -> None:
    """Projects `session.deleted`. The mark stays: what comes late is not shown either."""
    change = {"$set": {"isDeleted": True}}
    await ProgressWriter(view, session).count_session(_user(event), event["aggregateId"], change)


async def add_questions(event: Document, view: View, session: Session) -> None:
    """Projects `questions.generated` and `questions.added`."""
    made = {"$inc": {f"days.{_day(event)}.questions": event["data"]["count"]}}
    change = merged(_groups(event, 1), made)
    await ProgressWriter(view, session).count_session(_user(event), event["aggregateId"], change)


async def remove_questions(event: Document, view: View, session: Session) -> None:
    """Projects `questions.deleted`. That they were practised stays; the session's progress forgets them."""
    gone = {f"gone.{question}": True for question in event["data"]["questions"]}
    change = merged(_groups(event, -1), {"$set": gone} if gone else {})
    await ProgressWriter(view, session).count_session(_user(event), event["aggregateId"], change)


async def count_answer(event: Document, view: View, session: Session) -> None:
    """Projects `answer.graded`."""
    data, day, writer = event["data"], _day(event), ProgressWriter(view, session)
    user, score, topic = _user(event), data["score"], field_of(data["category"])
    await writer.count_day(user, day, merged(scored(score), scored(score, f"topics.{topic}.")))
    await writer.count_topic(user, data["category"], score, _time(event), event["id"])
    places = (f"questions.{event['aggregateId']}.", f"topics.{topic}.", f"days.{day}.", "")
    await writer.count_session(user, data["session"], merged(*[scored(score, place) for place in places]))


async def count_review(event: Document, view: View, session: Session) -> None:
    """Projects `question.reviewed`."""
    await _count(event, view, session, "reviews")


async def count_interview(event: Document, view: View, session: Session) -> None:
    """Projects `interview.completed`."""
    await _count(event, view, session, "interviews")


async def _count(event: Document, view: View, session: Session, what: str) -> None:
    user, day, writer = _user(event), _day(event), ProgressWriter(view, session)
    await writer.count_day(user, day, {"$inc": {what: 1}})
    await writer.count_session(user, event["data"]["session"], {"$inc": {what: 1, f"days.{day}.{what}": 1}})


def _groups(event: Document, sign: int) -> Document:
    """Questions that came, or (-1) went."""
    counts = {"questionCount": sign * event["data"]["count"]}
    for group in event["data"]["groups"]:
        place = f"groups.{field_of(group['category'])}.{field_of(group['difficulty'])}"
        counts[place] = counts.get(place, 0) + sign * group["count"]
    return {"$inc": counts}


def _user(event: Document) -> ObjectId:
    return ObjectId(event["data"]["user"])


def _time(event: Document) -> str:
    """In UTC with all digits, so that the texts are in the order of the times."""
    return datetime.fromisoformat(event["occurredAt"]).astimezone(UTC).isoformat(timespec="microseconds")


def _day(event: Document) -> str:
    return _time(event)[:10]


PROGRESS = Projection(
    "progress",
    INDEXES,
    {
        SessionCreated.TYPE: begin_session,
        SessionDeleted.TYPE: end_session,
        QuestionsGenerated.TYPE: add_questions,
        QuestionsAdded.TYPE: add_questions,
        QuestionsDeleted.TYPE: remove_questions,
        AnswerGraded.TYPE: count_answer,
        QuestionReviewed.TYPE: count_review,
        InterviewCompleted.TYPE: count_interview,
    },
)
