"""The scheduled work and the actor of the weekly letter."""

from typing import Protocol

from auth_service.weekly_review.service import WeeklyReviews, week_of
from intervai_shared.models import utc_now
from intervai_shared.mongo import object_id


class _Container(Protocol):
    @property
    def weekly_reviews(self) -> WeeklyReviews: ...


async def send_weekly_reviews(container: _Container) -> None:
    """Begins with the letters of this week. Idempotent by their ids, see `WeeklyReviews.post`."""
    await container.weekly_reviews.post(week_of(utc_now()))


async def post_weekly_reviews(container: _Container, week: str, after: str) -> None:
    """Goes on with them after a person. Idempotent likewise."""
    await container.weekly_reviews.post(week, object_id(after))
