"""The events of qa-service."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from intervai_shared.messaging.events.catalogue import Catalogue, Event, Upcaster
from intervai_shared.models import Document, Id, WireModel
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


class QuestionGroup(WireModel):
    """So many questions of one category and difficulty."""

    category: str
    difficulty: str
    count: int


class QuestionsGenerated(Event):
    """A generation has ended, and has added so many questions to a session."""

    TYPE = "questions.generated"
    AGGREGATE = "session"
    VERSION = 2
    UPCASTERS: ClassVar[Mapping[int, Upcaster]] = {1: lambda data: {**data, "groups": []}}

    user: Id
    job_id: Id
    count: int
    groups: list[QuestionGroup]


class QuestionsAdded(Event):
    """A person has added questions of their own to a session, or copied them there."""

    TYPE = "questions.added"
    AGGREGATE = "session"

    user: Id
    count: int
    groups: list[QuestionGroup]


class QuestionsDeleted(Event):
    """A person has removed questions from a session."""

    TYPE = "questions.deleted"
    AGGREGATE = "session"

    user: Id
    count: int
    groups: list[QuestionGroup]
    questions: list[Id]


class QuestionChanged(Event):
    """A question has another content. `before` and `after` hold the fields that differ; `version` is the new one."""

    TYPE = "question.changed"
    AGGREGATE = "question"

    user: Id
    session: Id
    cause: Literal["edit", "regeneration", "undo", "redo"]
    version: int
    before: Document
    after: Document


class AnswerGraded(Event):
    """A person's answer to a question has been scored, 0 to 100."""

    TYPE = "answer.graded"
    AGGREGATE = "question"

    user: Id
    session: Id
    attempt: Id
    score: int
    category: str
    difficulty: str


class QuestionReviewed(Event):
    """A person has rated how well they remembered a question: 1 again, 2 hard, 3 good, 4 easy."""

    TYPE = "question.reviewed"
    AGGREGATE = "question"

    user: Id
    session: Id
    rating: int
    category: str


class InterviewCompleted(Event):
    """A mock interview has ended. `score`: the mean of its scored answers; None when none was scored."""

    TYPE = "interview.completed"
    AGGREGATE = "interview"

    user: Id
    session: Id
    score: int | None
    answered: int


EVENTS = Catalogue(
    SessionCreated,
    SessionDeleted,
    QuestionsGenerated,
    QuestionsAdded,
    QuestionsDeleted,
    QuestionChanged,
    AnswerGraded,
    QuestionReviewed,
    InterviewCompleted,
    UserErased,
    UserDeletion,
)


def grouped(questions: Iterable[Document]) -> list[QuestionGroup]:
    """How many questions there are of each category and difficulty."""
    counts = Counter((question["category"], question["difficulty"]) for question in questions)
    return [QuestionGroup(category=key[0], difficulty=key[1], count=count) for key, count in sorted(counts.items())]
