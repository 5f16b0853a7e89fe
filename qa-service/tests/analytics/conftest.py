"""Events, as the queue brings them, and what the projections make of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.messaging.events.catalogue import Event
from intervai_shared.messaging.events.projections import current
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.resources import Resources, open_resources
from qa_service.analytics import progress_repository, repository
from qa_service.analytics.progress_projection import PROGRESS
from qa_service.analytics.progress_service import ProgressService
from qa_service.events import EVENTS, AnswerGraded, InterviewCompleted, QuestionReviewed, QuestionsGenerated
from qa_service.projections import PROJECTIONS
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
#: A Friday.
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


class History:
    """Tells events of a user to the projections."""

    def __init__(self, inbox: Inbox, user: ObjectId) -> None:
        self.inbox = inbox
        self.user = str(user)

    async def tell(self, aggregate: ObjectId | None, event: Event, days_ago: float = 0) -> Document:
        """Applies one event; what was applied."""
        told = wire_of(aggregate or ObjectId(), event, NOW - timedelta(days=days_ago))
        await self.inbox.apply(told)
        return told

    async def answers(self, session: ObjectId, *scores: int, days_ago: float = 0, **known: Any) -> None:
        """Scored answers to a question each, or to the `question` that is named."""
        question = known.pop("question", None)
        about = {"category": "SQL", "difficulty": "easy", "user": self.user, "session": session, **known}
        for score in scores:
            await self.tell(question, AnswerGraded(**about, attempt=ObjectId(), score=score), days_ago)

    async def reviews(self, session: ObjectId, days_ago: float = 0) -> None:
        review = QuestionReviewed(user=self.user, session=session, rating=3, category="SQL")
        await self.tell(None, review, days_ago)

    async def interviews(self, session: ObjectId, days_ago: float = 0) -> None:
        await self.tell(None, InterviewCompleted(user=self.user, session=session, score=60, answered=4), days_ago)

    async def generates(self, session: ObjectId, days_ago: float = 0, **counts: int) -> None:
        """Questions by difficulty, all about SQL."""
        groups = [{"category": "SQL", "difficulty": level, "count": count} for level, count in counts.items()]
        made = {"user": self.user, "job_id": ObjectId(), "count": sum(counts.values()), "groups": groups}
        await self.tell(session, QuestionsGenerated.model_validate(made), days_ago)


def wire_of(aggregate: ObjectId, event: Event, at: datetime) -> Document:
    """The event as a queue brings it."""
    return {
        "id": str(ObjectId()),
        "type": event.TYPE,
        "version": event.VERSION,
        "source": "qa-service",
        "aggregate": event.AGGREGATE,
        "aggregateId": str(aggregate),
        "sequence": 1,
        "occurredAt": at.isoformat(),
        "data": event.model_dump(mode="json", by_alias=True),
    }


@pytest.fixture
def as_wire() -> Callable[[ObjectId, Event, datetime], Document]:
    return wire_of


@pytest.fixture
def now() -> datetime:
    """What the tests take for now."""
    return NOW


@pytest.fixture
async def resources(settings: QaSettings, recorder: object) -> AsyncIterator[Resources]:
    """What the projections are kept with, and nothing else of the service."""
    async with open_resources(settings, {**repository.INDEXES, **progress_repository.INDEXES}) as opened:
        yield opened


@pytest.fixture
def inbox(resources: Resources) -> Inbox:
    return Inbox(resources.mongo.db, resources.outbox, {}, EVENTS, PROJECTIONS)


@pytest.fixture
def history(inbox: Inbox, user: ObjectId) -> History:
    """What `user` does."""
    return History(inbox, user)


@pytest.fixture
def history_of(inbox: Inbox) -> Callable[[ObjectId], History]:
    return lambda user: History(inbox, user)


@pytest.fixture
def progress(resources: Resources) -> ProgressService:
    """Reads as the API does, on the day that the tests take for today."""
    mongo = resources.mongo
    return ProgressService(lambda: current(mongo.db, PROGRESS, mongo.read_db), lambda: NOW)
