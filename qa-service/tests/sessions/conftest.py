"""Sessions with questions, over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from intervai_shared.models import Document

NewSession = Callable[..., Awaitable[Document]]


@pytest.fixture
def new_session(http: httpx.AsyncClient) -> NewSession:
    """Makes a session of `person` with as many questions of their own, of which `pinned` are pinned."""

    async def make(questions: int = 0, pinned: int = 0, **fields: Any) -> Document:
        body = {"role": "Cook", "experience": "junior", "topics": ["Soup"], "generate": False, **fields}
        answer = await http.post("/api/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text
        session = {**answer.json(), "path": f"/api/v1/sessions/{answer.json()['id']}"}
        for number in range(questions):
            one = {"text": f"Question {number}?", "answer": f"Answer {number}.", "notes": f"note {number}"}
            added = await http.post(f"{session['path']}/questions", json=one)
            assert added.status_code == 201, added.text
            if number < pinned:
                await http.patch(f"/api/v1/questions/{added.json()['id']}", json={"isPinned": True})
        return session

    return make
