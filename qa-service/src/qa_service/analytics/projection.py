"""Projection `trending`: who prepared for which topic on which day."""

from datetime import UTC, datetime

from bson import ObjectId

from intervai_shared.messaging.events.projections import Projection, View
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from qa_service.analytics.repository import INDEXES, TopicUses
from qa_service.events import SessionCreated


async def record_topics(event: Document, view: View, session: Session) -> None:
    """Projects `session.created`."""
    day = datetime.fromisoformat(event["occurredAt"]).astimezone(UTC)
    start_of_day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    uses = TopicUses(view["topic_uses"])
    for topic in sorted({_normalised(topic) for topic in event["data"]["topics"]}):
        await uses.record(ObjectId(event["data"]["user"]), topic, start_of_day, session)


def _normalised(topic: str) -> str:
    return " ".join(topic.casefold().split())


TRENDING = Projection("trending", INDEXES, {SessionCreated.TYPE: record_topics})
