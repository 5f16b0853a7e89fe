"""The rules of the review queue."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bson import ObjectId

from intervai_shared.errors import InvalidError, NotFoundError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session, object_id
from intervai_shared.resources import Resources
from qa_service.events import QuestionReviewed
from qa_service.practice.repository import AttemptRepository
from qa_service.practice.service import own_question
from qa_service.questions.repository import QuestionRepository
from qa_service.reviews.repository import CardRepository, ReviewLog, begin_again
from qa_service.reviews.scheduling import Intervals
from qa_service.reviews.schemas import RATINGS, NewReview
from qa_service.sessions.repository import SessionRepository
from qa_service.settings import QaSettings

#: Days of stability from which on a question counts as learned, as Anki's mature cards.
LEARNED_DAYS = 21.0
RETENTION_DAYS = 30
_AT_REVIEW = ("state", "stability", "difficulty", "due")


class ReviewService:
    """The review queue of one owner at a time. Days are those of UTC."""

    def __init__(
        self,
        resources: Resources,
        settings: QaSettings,
        sessions: SessionRepository,
        questions: QuestionRepository,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbox = resources.outbox
        self._new_a_day = settings.reviews_new_per_day
        self._intervals = Intervals(settings)
        self._sessions = sessions
        self._questions = questions
        self._attempts = AttemptRepository(resources.mongo.db)
        self._cards = CardRepository(resources.mongo.db)
        self._log = ReviewLog(resources.mongo.db)
        self._clock = clock

    async def due(self, user: ObjectId, limit: int) -> Document:
        """What to go through now: what is due, the longest due first, then new ones up to the day's allowance."""
        now = self._clock()
        left = await self._new_left(user, now)
        cards = await self._cards.due(user, now, limit)
        if (room := min(limit - len(cards), left)) > 0:
            cards += await self._cards.new(user, room)
        questions = await self._questions.get_many(user, [card["_id"] for card in cards])
        # A question that was deleted this moment leaves the queue by its event, a little later.
        items = [{"card": card, "question": questions[card["_id"]]} for card in cards if card["_id"] in questions]
        return {"items": items, "newLeftToday": left}

    async def waiting(self, user: ObjectId, limit: int) -> Document:
        """The questions of what `due` shows, and how many it would show without a limit: `{total, questions}`."""
        now = self._clock()
        shown = await self.due(user, limit)
        counts = await self._cards.counts(user, now, _day(now) + timedelta(days=1), LEARNED_DAYS)
        total = counts.get("dueNow", 0) + min(counts.get("new", 0), shown["newLeftToday"])
        return {"total": total, "questions": [item["question"] for item in shown["items"]]}

    async def review(self, user: ObjectId, question_id: ObjectId, given: NewReview) -> Document:
        """Rates a question; one that is not in the queue joins it. Two at the same time count one after the other.

        Raises:
            NotFoundError: the user has no such question.
            InvalidError: the attempt is not one at this question.
        """
        question = await own_question(self._questions, user, question_id)
        await self._check_attempt(user, question_id, given)
        now = self._clock()

        async def store(transaction: Session) -> Document:
            known = await self._cards.get(user, question_id, transaction)
            card = known or new_card(question, now)
            fields = {**self._intervals.after(card, given.rating, now), "updatedAt": now}
            # Whoever comes second in this moment sees it all again, with the first one's review.
            if known is None:
                await self._cards.add(user, [{**card, **fields}], transaction)
            elif not await self._cards.change(user, card, fields, transaction):
                raise begin_again()
            await self._log.add(user, _entry(card, fields, given, now), transaction)
            await self._outbox.add_event(transaction, question_id, _event(user, question, given))
            return {**card, **fields}

        return await self._outbox.transaction(store)

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document:
        """The card of a question. Raises NotFoundError."""
        if found := await self._cards.get(user, question_id):
            return found
        raise NotFoundError("This question is not in your review queue.")

    async def log(self, user: ObjectId, question_id: ObjectId, limit: int) -> Document:
        """The newest reviews of a question; empty when it was never rated. Raises NotFoundError."""
        found = await self._log.of_question(user, question_id, limit)
        if not found:
            await own_question(self._questions, user, question_id)
        return {"items": [{**entry, "rating": RATINGS[entry["rating"] - 1]} for entry in found]}

    async def add_session(self, user: ObjectId, session_id: ObjectId, pinned: bool | None) -> Document:
        """Adds all questions of a session, or only those that are (not) pinned; `{added, alreadyThere}`.

        Raises:
            NotFoundError: the user has no such session.
        """
        if await self._sessions.get(user, session_id) is None:
            raise NotFoundError("There is no such session.")
        questions = await self._questions.all_of_session(user, session_id)
        now = self._clock()
        cards = [new_card(each, now) for each in questions if pinned is None or each["isPinned"] == pinned]

        async def store(transaction: Session) -> Document:
            added = await self._cards.add(user, cards, transaction) if cards else 0
            return {"added": added, "alreadyThere": len(cards) - added}

        return await self._outbox.transaction(store)

    async def remove(self, user: ObjectId, question_id: ObjectId) -> None:
        """Takes a question out of the queue; what was rated stays in the log. Raises NotFoundError."""
        if not await self._cards.delete(user, question_id):
            raise NotFoundError("This question is not in your review queue.")

    async def stats(self, user: ObjectId) -> Document:
        """The queue in numbers, in the shape of `schemas.ReviewStats`."""
        now = self._clock()
        today = _day(now)
        cards = await self._cards.counts(user, now, today + timedelta(days=1), LEARNED_DAYS)
        log = await self._log.counts(user, now - timedelta(days=RETENTION_DAYS), today)
        return {
            **{name: cards.get(name, 0) for name in ("cards", "new", "dueNow", "dueToday", "learned")},
            "newLeftToday": await self._new_left(user, now),
            "reviewedToday": log.get("today", 0),
            "reviewsIn30Days": log.get("all", 0),
            "retention": round(log["kept"] / log["mature"], 3) if log.get("mature") else None,
        }

    async def _new_left(self, user: ObjectId, now: datetime) -> int:
        return max(0, self._new_a_day - await self._cards.begun(user, _day(now)))

    async def _check_attempt(self, user: ObjectId, question_id: ObjectId, given: NewReview) -> None:
        if given.attempt_id is None:
            return
        attempt = await self._attempts.get(user, object_id(given.attempt_id))
        if attempt is None or attempt["question"] != question_id:
            raise InvalidError([{"field": "body.attemptId", "message": "is no attempt of yours at this question"}])


def new_card(question: Document, now: datetime) -> Document:
    """A card that has not begun: it is due at once, but comes up only within the day's allowance."""
    state = {"isNew": True, "state": "new", "step": None, "stability": None, "difficulty": None, "due": now}
    counts = {"reviews": 0, "lapses": 0, "version": 0, "lastReview": None, "begunAt": None}
    times = {"createdAt": now, "updatedAt": now}
    return {"_id": question["_id"], "session": question["session"], **state, **counts, **times}


def _entry(card: Document, fields: Document, given: NewReview, now: datetime) -> Document:
    return {
        "_id": ObjectId(),
        "question": card["_id"],
        "session": card["session"],
        "rating": RATINGS.index(given.rating) + 1,
        "attempt": object_id(given.attempt_id) if given.attempt_id else None,
        "at": now,
        "before": {name: card[name] for name in _AT_REVIEW},
        "after": {name: fields[name] for name in _AT_REVIEW},
    }


def _event(user: ObjectId, question: Document, given: NewReview) -> QuestionReviewed:
    rating, category = RATINGS.index(given.rating) + 1, question["category"]
    return QuestionReviewed(user=user, session=question["session"], rating=rating, category=category)


def _day(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
