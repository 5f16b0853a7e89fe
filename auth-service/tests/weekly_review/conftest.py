"""People who want the weekly letter, and the questions that they have to go through in the running qa-service."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from auth_service.weekly_review.repository import SubscriberRepository
from auth_service.weekly_review.service import WeeklyReviews
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database

#: Makes the posting of weekly letters with so many people on a page.
Posting = Callable[..., WeeklyReviews]
HaveDue = Callable[..., Awaitable[None]]


@pytest.fixture
def posting(container: AuthContainer) -> Posting:
    def make(page: int = 100) -> WeeklyReviews:
        resources = container.resources
        return WeeklyReviews(SubscriberRepository(resources.mongo.db), container.letters, resources.outbox, page)

    return make


@pytest.fixture
async def subscriber(database: Database, signed_up: dict[str, Any]) -> ObjectId:
    """The one who has signed up: wants the letter, at an address that is theirs. Other letters are done with."""
    user = ObjectId(signed_up["user"]["id"])
    wants = {"mail": {"weeklyReview": True, "sequence": 1}, "emailVerifiedAt": utc_now()}
    await database.accounts.update_one({"_id": user}, {"$set": wants})
    await database.letters.delete_many({})
    await database.outbox.delete_many({})
    return user


@pytest.fixture
def have_due(signed_up: dict[str, Any]) -> HaveDue:
    """Puts questions into the review queue of the one who has signed up."""

    async def add(*texts: str) -> None:
        headers = {"Authorization": f"Bearer {signed_up['accessToken']}"}
        async with httpx.AsyncClient(base_url=os.environ["GATEWAY_URL"], headers=headers, timeout=20) as http:
            body = {"role": "Engineer", "experience": "senior", "topics": ["Python"], "generate": False}
            session = (await http.post("/api/v1/sessions", json=body)).json()["id"]
            for text in texts:
                added = await http.post(f"/api/v1/sessions/{session}/questions", json={"text": text})
                assert added.status_code == 201, added.text
            queued = await http.post(f"/api/v1/sessions/{session}/reviews")
            assert queued.json()["added"] == len(texts), queued.text

    return add
