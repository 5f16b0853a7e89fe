"""Search: fuzzy, ranked, over one's own questions only; what is typed is never a part of a query."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from intervai_shared.models import Document
from intervai_shared.testing import NewPerson, Person
from qa_service.container import QaContainer
from qa_service.questions import search
from qa_service.questions.schemas import NewQuestion
from qa_service.questions.search import rank, words

Call = Callable[..., Awaitable[Any]]


def question(text: str, answer: str = "", category: str = "General") -> Document:
    return {"_id": ObjectId(), "text": text, "answer": answer, "category": category}


QUESTIONS = [
    question("How does a Python generator differ from a list?", "It is lazy.", "Python"),
    question("What is a deadlock?", "Two threads wait for each other, as in a Python program.", "Concurrency"),
    question("Why indexes?", "They make reads fast.", "SQL"),
    question("How do C++ templates work?", category="C++"),
    question("What is a goroutine?", category="Go"),
    question("Wie funktioniert die Übersetzung?", category="Sprachen"),
    question("What does .NET give you?", category="C#"),
    question("Explain category theory and algorithms.", category="Maths"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("generator", [0]),
        ("genrator pyhton", [0]),
        ("python", [0, 1]),
        ("gener", [0]),
        ("DEADLOCK!", [1]),
        ("c++", [3]),
        ("go", [4]),
        ("co", []),
        ("c#", [6]),
        (".net", [6]),
        ("ubersetzung", [5]),
        ("zebra", []),
        ("?!*", []),
        ("(.*)+$", []),
    ],
)
def test_the_fitting_questions_are_found_the_best_first(query: str, expected: list[int]) -> None:
    ids = [each["_id"] for each in QUESTIONS]
    assert [ids.index(found["_id"]) for found in rank(query, QUESTIONS)] == expected


def test_of_equals_the_newest_comes_first_and_a_text_counts_more_than_an_answer() -> None:
    in_answer, old, new = question("Why?", "A mutex."), question("A mutex?"), question("A mutex?")
    found = rank("mutex", [in_answer, old, new])
    assert [each["_id"] for each in found] == [new["_id"], old["_id"], in_answer["_id"]]
    assert [each["score"] for each in found] == [100, 100, 60]


@given(st.text(max_size=200), st.lists(st.text(max_size=50), max_size=5))
def test_whatever_is_typed_gives_scores_in_order(query: str, texts: list[str]) -> None:
    found = rank(query, [question(text) for text in texts])
    scores = [each["score"] for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(50 <= score <= 100 for score in scores)
    assert words(query) == words(query.upper()) or not query.isascii()


async def test_search_goes_over_all_of_ones_own_questions_and_no_others(
    add: Call, ask: Call, start: Call, container: QaContainer, person: Person, new_person: NewPerson
) -> None:
    other = (await new_person()).id
    await container.questions.add(
        other, (await start(other, generate=False))["_id"], NewQuestion(text="What is a semaphore?")
    )
    second = str((await start(person.id, generate=False))["_id"])
    one, two = await add("What is a semaphore?", difficulty="hard"), await add("Semaphore or mutex?", second)
    await add("Why?")
    await ask("PATCH", f"/questions/{two['id']}", json={"isPinned": True})

    async def found(**params: Any) -> list[str]:
        page = await ask("GET", "/questions/search", params={"q": "semafore", **params})
        return [item["id"] for item in page["items"]]

    assert set(await found()) == {one["id"], two["id"]}
    assert await found(pinned="true") == [two["id"]]
    assert await found(difficulty="hard") == [one["id"]]
    assert await found(session=second) == [two["id"]]
    assert await found(session=str(ObjectId())) == []


async def test_pages_of_a_search_show_each_question_once(add: Call, ask: Call) -> None:
    ids = [(await add(f"What is a monad {number}?"))["id"] for number in range(5)]
    seen, cursor = [], {}
    for _ in range(3):
        page = await ask("GET", "/questions/search", params={"q": "monad", "limit": 2, **cursor})
        seen += [item["id"] for item in page["items"]]
        cursor = {"cursor": page["nextCursor"]}
    assert (seen, cursor) == (ids[::-1], {"cursor": None})


async def test_a_wrong_search_is_refused(ask: Call) -> None:
    await ask("GET", "/questions/search", 422)
    for wrong in ({"q": "  "}, {"q": "a\0"}, {"q": "x" * 201}, {"session": "x"}, {"cursor": "x"}, {"limit": 101}):
        await ask("GET", "/questions/search", 422, params={"q": "ok", **wrong})


async def test_many_questions_do_not_hold_up_the_event_loop(
    container: QaContainer, user: ObjectId, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def noted(query: str, questions: list[Document]) -> list[Document]:
        try:
            asyncio.get_running_loop()
            looked.append("on the loop")
        except RuntimeError:
            looked.append("beside it")
        return rank(query, questions)

    monkeypatch.setattr(search, "rank", noted)
    for count in (search.ON_THE_LOOP, 1):
        many = [{**question(f"What is {number}?"), "user": user} for number in range(count)]
        await container.resources.mongo.db.questions.insert_many(many)
        await container.question_search.page(user, "what", {}, 5, None)
    assert looked == ["on the loop", "beside it"]
