"""What the writer of the weekly letter may read of the review queue."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def service_token(container: QaContainer) -> str:
    """A service's token for qa-service, from auth-service."""
    return await container.resources.services.token_for("qa-service")


@pytest.fixture
async def queue(container: QaContainer, person: Person, start: Call, add_question: Call) -> list[Document]:
    """Twelve questions of the person, all of them new in the review queue."""
    session = await start(person.id, generate=False)
    made = [await add_question(session, person.id, text=f"What is number {number}?") for number in range(12)]
    await container.reviews.add_session(person.id, session["_id"], None)
    return made


async def ask(http: httpx.AsyncClient, user: ObjectId, token: str, **params: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await http.get(f"/internal/users/{user}/reviews/due", params=params, headers=headers)


async def test_a_service_gets_the_first_texts_and_the_number_of_all(
    http: httpx.AsyncClient, person: Person, queue: list[Document], service_token: str
) -> None:
    answer = await ask(http, person.id, service_token, limit=5)
    assert answer.status_code == 200, answer.text
    due = (await http.get("/api/v1/reviews/due", params={"limit": 100})).json()
    expected = [{"id": item["question"]["id"], "text": item["question"]["text"]} for item in due["items"]]
    assert answer.json() == {"total": len(due["items"]), "questions": expected[:5]}
    assert len(due["items"]) > 5


async def test_new_ones_count_only_as_far_as_the_day_allows(
    http: httpx.AsyncClient, person: Person, queue: list[Document], service_token: str, container: QaContainer
) -> None:
    container.reviews._new_a_day = 3
    answer = (await ask(http, person.id, service_token)).json()
    assert (answer["total"], len(answer["questions"])) == (3, 3)
    for question in answer["questions"]:
        await http.post(f"/api/v1/reviews/{question['id']}", json={"rating": "easy"})
    assert (await ask(http, person.id, service_token)).json() == {"total": 0, "questions": []}


async def test_who_is_not_known_has_nothing_to_do(
    http: httpx.AsyncClient, queue: list[Document], service_token: str
) -> None:
    assert (await ask(http, ObjectId(), service_token)).json() == {"total": 0, "questions": []}


async def test_nobody_but_a_service_may_ask_and_not_for_everything(
    http: httpx.AsyncClient, person: Person, queue: list[Document], service_token: str
) -> None:
    assert (await ask(http, person.id, person.tokens["accessToken"])).status_code == 401
    assert (await ask(http, person.id, "")).status_code == 401
    for limit in (0, 101):
        assert (await ask(http, person.id, service_token, limit=limit)).status_code == 422
