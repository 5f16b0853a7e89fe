"""Requests and answers of the routes of the review queue."""

from typing import Annotated, Literal

from pydantic import AliasPath, BeforeValidator, Field

from intervai_shared.models import Id, InputModel, UtcTime, WireModel
from qa_service.questions.schemas import Question

Rating = Literal["again", "hard", "good", "easy"]
RATINGS: tuple[Rating, ...] = ("again", "hard", "good", "easy")
State = Literal["new", "learning", "review", "relearning"]


def _named(value: object) -> object:
    """1 to 4 are the ratings by number."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return RATINGS[value - 1] if is_number and 1 <= value <= len(RATINGS) else value  # type: ignore[operator]


class NewReview(InputModel):
    """How well the question was remembered: `again` (not), `hard`, `good`, `easy`, or 1 to 4."""

    rating: Annotated[Rating, BeforeValidator(_named, json_schema_input_type=Rating | Literal[1, 2, 3, 4])]
    attempt_id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")] | None = Field(
        None, description="The attempt that came before it, if there was one."
    )


class Card(WireModel):
    """How a question stands in the queue. `stability`: days until it is remembered with 90 %; `difficulty`: 1 to 10;
    both null while it is new. `reviews`, `lapses`: how often it was rated, and forgotten."""

    question_id: Id = Field(validation_alias="_id")
    session_id: Id = Field(validation_alias="session")
    state: State
    due: UtcTime
    stability: float | None
    difficulty: float | None
    last_review: UtcTime | None
    reviews: int
    lapses: int
    created_at: UtcTime
    updated_at: UtcTime


class Review(WireModel):
    """A review that was made, and when the question was due after it."""

    rating: Rating
    at: UtcTime
    attempt_id: Id | None = Field(None, validation_alias="attempt")
    due: UtcTime = Field(validation_alias=AliasPath("after", "due"))


class ReviewList(WireModel):
    """The newest reviews of a question."""

    items: list[Review]
    next_cursor: None = None


class DueCard(WireModel):
    """A question to go through now."""

    card: Card
    question: Question


class DueCards(WireModel):
    """What is due, the longest due first, then new ones as far as the day's allowance goes. Rating them makes the next
    ones come up, so there is no cursor. `newLeftToday`: new ones that may still begin today (UTC)."""

    items: list[DueCard]
    next_cursor: None = None
    new_left_today: int


class WaitingQuestion(WireModel):
    """A question to go through, with no more of it than a letter shows."""

    id: Id = Field(validation_alias="_id")
    text: str


class WaitingQuestions(WireModel):
    """The first of what is to go through now, in the order of `DueCards`. `total`: how many there are of it."""

    total: int
    questions: list[WaitingQuestion]


class AddedCards(WireModel):
    """How many questions joined the queue, and how many were in it."""

    added: int
    already_there: int


class ReviewStats(WireModel):
    """The queue in numbers. Days are UTC. `learned`: remembered for 21 days or more. `retention`: share of the
    reviews of the last 30 days, of questions past their learning steps, that were not `again`; null without such
    reviews."""

    cards: int
    new: int
    due_now: int
    due_today: int
    new_left_today: int
    reviewed_today: int
    learned: int
    retention: float | None
    reviews_in30_days: int = Field(serialization_alias="reviewsIn30Days")
