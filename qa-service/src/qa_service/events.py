"""The events of qa-service."""

from intervai_shared.messaging.events.catalogue import Catalogue, Event
from intervai_shared.models import Id
from intervai_shared.privacy.events import UserDeletion, UserErased


class SessionCreated(Event):
    """A person began an interview session."""

    TYPE = "session.created"
    AGGREGATE = "session"

    user: Id
    role: str
    topics: list[str]


class SessionDeleted(Event):
    """A person deleted a session, with its questions."""

    TYPE = "session.deleted"
    AGGREGATE = "session"

    user: Id


class QuestionsGenerated(Event):
    """A generation has added its questions to a session."""

    TYPE = "questions.generated"
    AGGREGATE = "session"

    user: Id
    job_id: Id
    count: int


EVENTS = Catalogue(SessionCreated, SessionDeleted, QuestionsGenerated, UserErased, UserDeletion)
