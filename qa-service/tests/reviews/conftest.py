"""A clock that the tests set, and reviews by it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.reviews.schemas import NewReview

Call = Callable[..., Awaitable[Any]]


@dataclass
class Clock:
    """The time of day, as the tests want it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def clock(container: QaContainer, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Monday, noon."""
    made = Clock(datetime(2026, 3, 2, 12, tzinfo=UTC))
    monkeypatch.setattr(container.reviews, "_clock", made)
    return made


@pytest.fixture
async def questions(start: Call, add_question: Call) -> list[Document]:
    """Five questions of one session, the first two of them pinned."""
    session = await start(generate=False)
    return [await add_question(session, text=f"What is number {number}?") for number in range(5)]


@pytest.fixture
def rate(container: QaContainer, user: ObjectId, clock: Clock) -> Call:
    """Rates a question; its card."""

    async def call(question: Document, rating: Any = "good", **fields: Any) -> Document:
        given = NewReview.model_validate({"rating": rating, **fields})
        return await container.reviews.review(user, question["_id"], given)

    return call


@pytest.fixture
def due(container: QaContainer, user: ObjectId, clock: Clock) -> Call:
    """The texts of what is due."""

    async def call(limit: int = 20) -> list[str]:
        found = await container.reviews.due(user, limit)
        return [item["question"]["text"] for item in found["items"]]

    return call
