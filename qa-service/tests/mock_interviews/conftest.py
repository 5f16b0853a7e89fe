"""A session with questions, a clock that the tests set, and interviews of it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.models import Document, utc_now
from offline_llm.bank import load
from offline_llm.grading import judge
from offline_llm.reports import advise
from qa_service.container import QaContainer
from qa_service.mock_interviews.schemas import InterviewAnswer, InterviewStart

Call = Callable[..., Awaitable[Any]]
TOPICS = ("SQL", "Go", "Testing")
LEVELS = ("easy", "medium", "hard")


@dataclass
class Clock:
    """The time of day, as the tests want it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(container: QaContainer, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the mock interviews."""
    made = Clock(utc_now())
    monkeypatch.setattr(container.interviews, "_clock", made)
    return made


@pytest.fixture
async def session(start: Call, add_question: Call) -> Document:
    """A session with nine questions: three topics in three difficulties."""
    made: Document = await start(generate=False)
    for topic in TOPICS:
        for level in LEVELS:
            points = [f"{topic} has a first {level} property", f"{topic} needs a second {level} measure"]
            await add_question(
                made, text=f"What about {topic}, {level}?", category=topic, difficulty=level, keyPoints=points
            )
    return made


@pytest.fixture
def begin(container: QaContainer, session: Document, user: ObjectId, clock: Clock) -> Call:
    """Starts an interview of the session."""

    async def call(**wanted: Any) -> Document:
        return await container.interviews.start(user, session["_id"], InterviewStart.model_validate(wanted))

    return call


@pytest.fixture
def say(container: QaContainer, user: ObjectId) -> Call:
    """Answers (or, without an answer, skips) the question of an interview that waits, or the given one."""

    async def call(interview: Document, answer: str | None = None, question: Any = None) -> Document:
        told = {"questionId": str(question or interview["question"]["questionId"])}
        told |= {"answer": answer} if answer else {"skip": True}
        return await container.interviews.answer(user, interview["_id"], InterviewAnswer.model_validate(told))

    return call


@pytest.fixture
def honest(provider: Any) -> Callable[[int], None]:
    """The model's next answers, by the offline model: it judges answers and writes reports."""

    async def reply(data: Document) -> Any:
        made = judge(load(), data) if "answer" in data else advise(load(), data)
        return provider.saying(json.dumps(made))

    return lambda count: provider.will(*[reply] * count)


@pytest.fixture
def grade(container: QaContainer, attempt: Call) -> Call:
    """Does all jobs of an interview that wait, in order; their records."""

    async def call(kind: str = "grading") -> list[Document]:
        waiting = {"kind": kind, "status": "queued"}
        jobs = await container.resources.mongo.db.jobs.find(waiting).sort("_id").to_list()
        return [await attempt(job["_id"]) for job in jobs]

    return call


@pytest.fixture
def good(container: QaContainer) -> Call:
    """An answer that makes all points of the question that waits."""

    async def call(interview: Document) -> str:
        question = await container.resources.mongo.db.questions.find_one({"_id": interview["question"]["question"]})
        return ". ".join((question or {})["keyPoints"]) + "."

    return call
