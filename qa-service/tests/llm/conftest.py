"""Asking the model directly, as a job does."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.llm.listening import OnText
from qa_service.llm.model import Caller, open_model
from qa_service.llm.prompt import Prompt, Quality, strict_object
from qa_service.llm.replies import Reply
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def no_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of one try have no effect on the next one, but where that is the question."""
    monkeypatch.setenv("LLM_BREAK_AFTER", "1000")


@pytest.fixture
def caller(user: ObjectId) -> Caller:
    """A job of the user."""
    return Caller(user, ObjectId())


@pytest.fixture
def ask(settings: QaSettings, container: QaContainer, caller: Caller) -> Call:
    """Asks for one question as a new process would, which knows nothing of earlier calls."""
    configured = settings

    async def call(
        step: str = "0",
        *,
        settings: QaSettings = configured,
        check: Callable[[str], object] = str,
        on_text: OnText | None = None,
        quality: Quality = "standard",
        caller: Caller = caller,
        **fields: Any,
    ) -> Reply:
        prompt = Prompt("p", "p-1", "Be short.", {"count": 1}, strict_object(), quality=quality, **fields)
        async with open_model(settings, container.resources.mongo) as model:
            return await model.ask(caller, step, prompt, check, on_text)

    return call


@pytest.fixture
def calls(container: QaContainer) -> Callable[[], Awaitable[list[Document]]]:
    """The journal, in the order of the calls. Whenever it is looked at, the sums are those of its entries."""

    async def read() -> list[Document]:
        db = container.resources.mongo.db
        entries = await db.llm_calls.find({}).sort([("createdAt", 1), ("_id", 1)]).to_list()
        for name in ("costMicros", "inputTokens", "outputTokens"):
            booked = sum(entry.get(name, 0) for entry in entries)
            for collection in (db.llm_spend, db.llm_hours):
                assert sum([found.get(name, 0) async for found in collection.find({})]) == booked, (name, entries)
        return entries

    return read
