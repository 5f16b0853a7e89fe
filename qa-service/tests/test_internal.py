"""What other services may read: all of a session, with their own token, by naming its owner."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion
from qa_service.questions.service import new_question

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def service_token(container: QaContainer) -> str:
    """export-service's token for qa-service, from auth-service."""
    return await container.resources.services.token_for("qa-service")


@pytest.fixture
async def session(container: QaContainer, person: Person, start: Call) -> Document:
    """A session of the person with more questions than a page holds; the very first is pinned."""
    made = await start(person.id, generate=False)
    content = NewQuestion(text="?").model_dump(by_alias=True)
    questions = [
        {**new_question(made["_id"], content, source="custom"), "user": person.id, "text": f"{n}?", "isPinned": n == 0}
        for n in range(21)
    ]
    await container.resources.mongo.db.questions.insert_many(questions)
    return {**made, "path": f"/internal/users/{person.id}/sessions/{made['_id']}"}


async def ask(http: httpx.AsyncClient, path: str, token: str) -> httpx.Response:
    return await http.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_a_service_gets_a_session_with_all_its_questions_in_list_order(
    http: httpx.AsyncClient, service_token: str, session: Document
) -> None:
    answer = await ask(http, session["path"], service_token)
    assert answer.status_code == 200
    assert answer.json()["session"] == (await http.get(f"/api/v1/sessions/{session['_id']}")).json()
    texts = [question["text"] for question in answer.json()["questions"]]
    assert texts == ["0?", *[f"{number}?" for number in range(20, 0, -1)]]
    listed = (await http.get(f"/api/v1/sessions/{session['_id']}/questions")).json()["items"]
    assert answer.json()["questions"][:20] == listed


async def test_the_session_of_another_than_the_named_owner_is_not_found(
    http: httpx.AsyncClient, service_token: str, session: Document, person: Person
) -> None:
    for path in (
        f"/internal/users/{ObjectId()}/sessions/{session['_id']}",
        f"/internal/users/{person.id}/sessions/{ObjectId()}",
    ):
        assert (await ask(http, path, service_token)).status_code == 404


async def test_a_person_may_not_read_even_the_own_session_there(
    http: httpx.AsyncClient, session: Document, person: Person
) -> None:
    assert (await ask(http, session["path"], person.tokens["accessToken"])).status_code == 401


async def test_neither_no_token_nor_one_for_another_service_is_let_in(
    http: httpx.AsyncClient, container: QaContainer, session: Document
) -> None:
    for_another = await container.resources.services.token_for("user-service")
    for token in ("", for_another):
        assert (await ask(http, session["path"], token)).status_code == 401


async def test_a_service_is_nobody_on_the_routes_of_people(
    http: httpx.AsyncClient, service_token: str, session: Document
) -> None:
    for path in ("/api/v1/sessions", f"/api/v1/sessions/{session['_id']}"):
        assert (await ask(http, path, service_token)).status_code == 401
