"""The no-repeat guarantee: a person gets no question twice, in whatever words, in whatever session."""

import random
import re
from collections.abc import Awaitable, Callable
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, Protocol

from bson import ObjectId

from intervai_shared.models import Document
from offline_llm import bank
from qa_service.container import QaContainer

Call = Callable[..., Awaitable[Any]]
PAGES, A_PAGE = 20, 5


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    of: Callable[..., Any]


class Parrot:
    """Seven of ten questions are ones that it has given before, mostly in other words."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._random = random.Random(5)  # noqa: S311  the same each time
        self._new = [question["text"] for topic in bank.load().topics for question in topic.questions]
        self._random.shuffle(self._new)
        self._said: list[str] = []
        self.repeats = self.written = 0

    async def __call__(self, interview: Document) -> Any:
        texts = [self._next() for _ in range(interview["count"])]
        return self._provider.of(*texts)

    def _next(self) -> str:
        self.written += 1
        if self._said and self._random.random() < 0.7:
            self.repeats += 1
            return self._reworded(self._random.choice(self._said))
        self._said.append(self._new.pop())
        return self._said[-1]

    def _reworded(self, text: str) -> str:
        ways: list[Callable[[str], str]] = [
            str.upper,
            lambda text: f"Please tell me: {text[0].lower()}{text[1:]}",
            lambda text: text.replace("would you", "do you").replace("What is", "Can you explain what is"),
            lambda text: re.sub(r"[,?.]", " ", text) + "?",
            lambda text: f"Question 7: {text}",
            lambda text: text,
        ]
        return self._random.choice(ways)(text)


def alike(one: str, other: str) -> float:
    """A measure of its own: how much of two texts is the same, in order, once the framing words are gone."""
    frame = r"\b(please tell me|can you explain|question 7|what is|would|do|you)\b|[^\w+#]+"
    left, right = (" ".join(re.sub(frame, " ", text.lower()).split()) for text in (one, other))
    return SequenceMatcher(None, left, right, autojunk=False).ratio()


async def test_twenty_pages_of_a_parrot_and_another_session_hold_no_question_twice(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, more: Call, attempt: Call
) -> None:
    parrot = Parrot(provider)
    provider.will(*[parrot] * 1000)
    session = await start(generate=False, topics=["Everything"])
    done = [await attempt(await more(session, count=A_PAGE)) for _ in range(PAGES)]
    other = await start(topics=["All"], questionCount=10)
    done.append(await attempt(other["generation"]["jobId"]))
    assert {job["status"] for job in done} == {"succeeded"}
    found = await container.resources.mongo.db.questions.find({"user": user}).to_list()
    texts = [question["text"] for question in found]
    assert parrot.repeats > 0.6 * parrot.written
    assert len(texts) == sum(job["result"]["questions"] for job in done) > 0.8 * (PAGES * A_PAGE + 10)
    worst = max(combinations(texts, 2), key=lambda pair: alike(*pair))
    assert alike(*worst) < 0.85, worst


async def test_a_new_session_repeats_nothing_of_an_earlier_one(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(provider.of("What is an index in SQL?"))
    await attempt((await start(questionCount=1))["generation"]["jobId"])
    provider.will(provider.of("Explain what an index is in SQL", "what is an INDEX in sql", "What is a view in SQL?"))
    session = await start(questionCount=1)
    job = await attempt(session["generation"]["jobId"])
    assert await texts(session) == ["What is a view in SQL?"]
    assert provider.interviews[1]["exclude"] == ["What is an index in SQL?"]
    assert job["result"]["questions"] == 1


async def test_another_persons_questions_are_no_hindrance(
    provider: Provider, container: QaContainer, start: Call, attempt: Call, texts: Call, worker: Any
) -> None:
    stranger = ObjectId()
    theirs = await start(stranger, questionCount=1)
    provider.will(provider.of("What is an index?"), provider.of("What is an index?"))
    await worker.work.run(theirs["generation"]["jobId"])
    ours = await start(questionCount=1)
    await attempt(ours["generation"]["jobId"])
    assert await texts(ours) == ["What is an index?"]


async def test_what_the_model_is_told_not_to_repeat_is_bounded_and_all_else_is_caught(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    old = await start(generate=False)
    about = {"user": user, "session": old["_id"], "category": "SQL"}
    rows = [{**about, "text": f"What is number {number}?"} for number in range(500, 650)]
    await container.resources.mongo.db.questions.insert_many(rows)
    provider.will(provider.of("What is number 501?", "What is number 649?", "What is a view?"))
    session = await start(questionCount=1)
    await attempt(session["generation"]["jobId"])
    assert await texts(session) == ["What is a view?"]
    told = provider.interviews[0]["exclude"]
    assert (len(told), told[0], told[-1]) == (100, "What is number 649?", "What is number 550?")


async def test_beyond_the_newest_two_thousand_the_database_itself_keeps_the_same_text_out(
    provider: Provider,
    container: QaContainer,
    user: ObjectId,
    start: Call,
    attempt: Call,
    texts: Call,
    monkeypatch: Any,
) -> None:
    provider.will(provider.of("What is an index?"))
    await attempt((await start(questionCount=1))["generation"]["jobId"])
    monkeypatch.setattr("qa_service.generation.store.MOST_KNOWN", 1)
    provider.will(provider.of("What is a join?"))
    await attempt((await start(questionCount=1))["generation"]["jobId"])
    provider.will(provider.of("what is an index"))
    session = await start(questionCount=1)
    await attempt(session["generation"]["jobId"])
    assert await texts(session) == ["What is number 0?"]
