"""Questions of a person, as the HTTP client sees them."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from intervai_shared.models import Document
from intervai_shared.testing import Person

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def session(person: Person, start: Call) -> str:
    """The id of an empty session of the person."""
    return str((await start(person.id, generate=False))["_id"])


@pytest.fixture
def add(http: httpx.AsyncClient, session: str) -> Call:
    """Adds a question of the person's own; what was answered."""

    async def call(text: str = "Why?", session_id: str = session, **fields: Any) -> Document:
        answer = await http.post(f"/api/v1/sessions/{session_id}/questions", json={"text": text, **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return call


@pytest.fixture
def ask(http: httpx.AsyncClient) -> Call:
    """Sends a request about a question, and gives the JSON of the answer, which must have the given status."""

    async def call(method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = await http.request(method, f"/api/v1{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call
