"""Attempts at a question, and a model that judges as it is told."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from offline_llm.bank import load
from offline_llm.grading import judge
from qa_service.container import QaContainer
from qa_service.practice.schemas import NewAttempt

Call = Callable[..., Awaitable[Any]]
GOOD = "An index is a sorted structure. It makes writes slower. It serves range queries."


def judgement(points: list[tuple[str, str]], quality: tuple[int, str] = (4, "")) -> Document:
    """A reply of the model: (verdict, quote) of each point, and one level and quote for all qualities."""
    level = {"level": quality[0], "quote": quality[1]}
    return {
        "points": [{"point": n, "verdict": verdict, "quote": quote} for n, (verdict, quote) in enumerate(points, 1)],
        **dict.fromkeys(("correctness", "depth", "structure"), level),
        "comment": "Good start.",
        "betterAnswer": "Say it so.",
    }


@pytest.fixture
def judged() -> Callable[..., Document]:
    return judgement


@pytest.fixture
def judges(provider: Any) -> Callable[..., None]:
    """The model's next judgements: given ones, or so many honest ones by the offline model."""

    async def honestly(data: Document) -> Any:
        return provider.saying(json.dumps(judge(load(), data)))

    def call(*judgements: Document, honest: int = 0) -> None:
        provider.will(*[provider.saying(json.dumps(each)) for each in judgements], *[honestly] * honest)

    return call


@pytest.fixture
async def question(start: Call, add_question: Call) -> Document:
    """A question with three key points."""
    found: Document = await add_question(await start(generate=False))
    return found


@pytest.fixture
def hand_in(container: QaContainer, user: ObjectId) -> Call:
    """Hands an answer in; `{id, jobId, status}`."""

    async def call(question: Document, answer: str = GOOD, **fields: Any) -> Document:
        return await container.attempts.start(user, question["_id"], NewAttempt(answer=answer, **fields))

    return call


@pytest.fixture
def answered(container: QaContainer, hand_in: Call, attempt: Call, user: ObjectId) -> Call:
    """Hands an answer in and does its job; the attempt as its owner sees it."""

    async def call(question: Document, answer: str = GOOD) -> Document:
        started = await hand_in(question, answer)
        await attempt(started["jobId"])
        return await container.attempts.get(user, started["id"])

    return call
