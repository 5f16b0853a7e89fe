"""The rules of the weekly letter: one a person and ISO week (ISO 8601, Monday to Sunday, UTC), whatever runs twice."""

import hashlib
from datetime import datetime

from bson import ObjectId

from auth_service.letters.service import QUEUE, Letters
from auth_service.weekly_review.repository import SubscriberRepository, can_get_it
from intervai_shared.logs import log
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.mongo import Session

ACTOR = "post_weekly_reviews"
#: People whose letters are posted in one transaction.
PAGE = 50


class WeeklyReviews:
    """Posts the letters of a week page by page: each page in a transaction of its own, which also asks for the next."""

    def __init__(self, subscribers: SubscriberRepository, letters: Letters, outbox: Outbox, page: int = PAGE) -> None:
        self._subscribers = subscribers
        self._letters = letters
        self._outbox = outbox
        self._page = page

    async def post(self, week: str, after: ObjectId | None = None) -> None:
        """Has the letters of a week sent to the people after an id, and then those of the next page. A second time is a
        no-op for each who has a letter of this week; the pages are walked again all the same, so that it mends what a
        run that was given up has left out."""
        posted, people = await self._outbox.transaction(lambda session: self._post_page(week, after, session))
        log.info("weekly letters posted", week=week, people=people, new=posted)

    async def _post_page(self, week: str, after: ObjectId | None, session: Session) -> tuple[int, int]:
        accounts = await self._subscribers.page(after, self._page, session)
        people = [account["_id"] for account in accounts if can_get_it(account)]
        wanted = {letter_id(user, week): user for user in people}
        posted = await self._letters.post_once(session, "weekly-review", wanted)
        if len(accounts) == self._page:
            await self._outbox.add_job(session, ACTOR, QUEUE, week, str(accounts[-1]["_id"]), bulk=True)
        return posted, len(people)


def week_of(moment: datetime) -> str:
    """The ISO week of a moment, like `2026-W09`. Its year is that of its Thursday."""
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"


def letter_id(user: ObjectId, week: str) -> ObjectId:
    """The id of a person's letter of a week: always the same, so that there cannot be two."""
    return ObjectId(hashlib.sha256(f"weekly-review {user} {week}".encode()).digest()[:12])
