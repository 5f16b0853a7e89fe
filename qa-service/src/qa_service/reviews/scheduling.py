"""When a question comes back: FSRS (https://github.com/open-spaced-repetition/py-fsrs), without its random spread, so
that equal reviews have equal results."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from intervai_shared.models import Document
from qa_service.reviews.schemas import RATINGS, Rating
from qa_service.settings import QaSettings

if TYPE_CHECKING:
    from fsrs import Card, Scheduler


class Intervals:
    """Computes the next state of a card. States: new, learning, review, relearning."""

    def __init__(self, settings: QaSettings) -> None:
        self._settings = settings
        self._scheduler: Scheduler | None = None

    def after(self, card: Document, rating: Rating, now: datetime) -> Document:
        """The fields of the card after a review at `now`, in UTC."""
        from fsrs import Rating as FsrsRating  # noqa: PLC0415  only who reviews needs it

        number = RATINGS.index(rating) + 1
        reviewed, _ = self._loaded().review_card(_to_fsrs(card), FsrsRating(number), now.astimezone(UTC))
        is_lapse = rating == "again" and card["state"] == "review"
        return {
            "isNew": False,
            "state": reviewed.state.name.lower(),
            "step": reviewed.step,
            "stability": reviewed.stability,
            "difficulty": reviewed.difficulty,
            # Mongo keeps milliseconds.
            "due": reviewed.due.replace(microsecond=reviewed.due.microsecond // 1000 * 1000),
            "lastReview": now,
            "begunAt": card["begunAt"] or now,
            "reviews": card["reviews"] + 1,
            "lapses": card["lapses"] + is_lapse,
        }

    def _loaded(self) -> "Scheduler":
        if self._scheduler is None:
            from fsrs import Scheduler  # noqa: PLC0415

            self._scheduler = Scheduler(
                desired_retention=self._settings.reviews_desired_retention,
                maximum_interval=self._settings.reviews_maximum_days,
                enable_fuzzing=False,
            )
        return self._scheduler


def _to_fsrs(card: Document) -> "Card":
    from fsrs import Card, State  # noqa: PLC0415

    # With an id: without one the library sleeps to make one.
    if card["isNew"]:
        return Card(card_id=0, due=card["due"])
    return Card(
        card_id=0,
        state=State[card["state"].capitalize()],
        step=card["step"],
        stability=card["stability"],
        difficulty=card["difficulty"],
        due=card["due"].astimezone(UTC),
        last_review=card["lastReview"].astimezone(UTC),
    )
