"""What a generation stores, whatever the language model says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.generation.generator import EXHAUSTED
from qa_service.questions.schemas import NewQuestion

Call = Callable[..., Awaitable[Any]]


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    honest: Callable[..., Any]
    of: Callable[..., Any]


def counts(provider: Provider) -> list[int]:
    """How many questions each request asked for."""
    return [interview["count"] for interview in provider.interviews]


async def test_a_session_gets_exactly_the_number_that_was_asked_for_in_batches(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=25)
    job = await attempt(session["generation"]["jobId"])
    assert counts(provider) == [10, 10, 5]
    assert len(set(await texts(session))) == 25
    assert job["result"] == {"questions": 25, "requested": 25, "model": "model-that-answered"}
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 100, None)


async def test_a_generation_begins_the_session_and_tells_it_in_one_event(
    container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start(questionCount=2)
    job_id = session["generation"]["jobId"]
    await attempt(job_id)
    assert (await container.sessions.get(user, session["_id"]))["status"] == "in-progress"
    told = await container.resources.mongo.db.events.find({"type": "questions.generated"}).to_list()
    assert [event["data"] for event in told] == [
        {
            "user": str(user),
            "jobId": str(job_id),
            "count": 2,
            "groups": [{"category": "SQL", "difficulty": "easy", "count": 2}],
        }
    ]


async def test_each_question_keeps_what_the_model_wrote_and_which_model_it_was(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    points = {"keyPoints": ["It is ordered", "It is small"], "followUps": ["And when full?"]}
    provider.will(provider.of("  Why an index? ", answer="To find rows.", difficulty="hard", **points))
    session = await start(questionCount=1)
    await attempt(session["generation"]["jobId"])
    [question] = (await container.sessions.with_questions(user, session["_id"]))["questions"]
    kept = ("text", "answer", "difficulty", "category", "source", "model", "isPinned")
    assert [question[name] for name in kept] == [
        "Why an index?", "To find rows.", "hard", "SQL", "generated", "model-that-answered", False,
    ]  # fmt: skip
    assert {name: question[name] for name in points} == points


async def test_the_model_is_told_every_question_that_it_must_not_repeat(
    provider: Provider, start: Call, more: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=12)
    await attempt(session["generation"]["jobId"])
    first = {f"What is number {number}?" for number in range(12)}
    assert set(provider.interviews[1]["exclude"]) == {f"What is number {number}?" for number in range(10)}
    await attempt(await more(session, count=3))
    assert set(provider.interviews[2]["exclude"]) == first
    assert len(set(await texts(session))) == 15


async def test_a_repeated_question_is_dropped_and_another_asked_for(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    repeats = ["What is SQL?", "what is  sql", "WHAT IS: “SQL”…", "What is \uff33\uff31\uff2c?"]
    provider.will(provider.of("What is SQL?", *repeats, "What is a join?"))
    session = await start(questionCount=3)
    await attempt(session["generation"]["jobId"])
    assert counts(provider) == [3, 1]
    assert sorted(await texts(session)) == ["What is SQL?", "What is a join?", "What is number 0?"]


async def test_questions_that_differ_by_a_sign_are_different_questions(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    languages = ["What is C?", "What is C++?", "What is C#?"]
    operators = [f"What does `a {sign} b` do?" for sign in ("&", "*", "==", "===")]
    provider.will(provider.of(*languages, *operators))
    session = await start(questionCount=7)
    await attempt(session["generation"]["jobId"])
    assert sorted(await texts(session)) == sorted(languages + operators)


async def test_what_a_model_gives_too_much_is_used_up_to_the_number_and_not_lost(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(lambda interview: _soon(provider.honest(interview, 14)))
    session = await start(questionCount=20)
    await attempt(session["generation"]["jobId"])
    assert counts(provider) == [10, 6]
    assert len(set(await texts(session))) == 20


async def test_no_more_are_stored_than_were_asked_for(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(lambda interview: _soon(provider.honest(interview, 7)))
    session = await start(questionCount=3)
    await attempt(session["generation"]["jobId"])
    assert len(await texts(session)) == 3


async def test_a_model_that_gives_too_few_is_asked_for_the_rest(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(*[lambda interview: _soon(provider.honest(interview, 4))] * 2)
    session = await start(questionCount=10)
    await attempt(session["generation"]["jobId"])
    assert counts(provider) == [10, 6, 2]
    assert len(set(await texts(session))) == 10


@pytest.mark.parametrize("last", [[], ["Why?", "How?"] * 3], ids=["nothing", "only repeats"])
async def test_a_model_without_further_questions_ends_in_a_smaller_set(
    last: list[str], provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(provider.of("Why?", "How?"), provider.of(*last), provider.of(*last))
    session = await start(questionCount=10)
    job = await attempt(session["generation"]["jobId"])
    assert sorted(await texts(session)) == ["How?", "Why?"]
    assert (job["status"], job["result"]["questions"], job["result"]["requested"]) == ("succeeded", 2, 10)
    assert (job["result"]["exhausted"], job["result"]["detail"]) == (True, EXHAUSTED)
    assert counts(provider) == [10, 8, 10], "twice in a row without a new one is the end"


async def test_a_model_without_any_question_fails_the_job_with_a_sentence(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(provider.of(), provider.of())
    session = await start()
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["error"]) == ("failed", "The model found no further questions on these topics.")
    assert await texts(session) == []
    assert (await container.sessions.get(user, session["_id"]))["status"] == "pending"


async def test_two_generations_of_a_session_at_a_time_store_no_question_twice(
    provider: Provider, start: Call, more: Call, attempt: Call, texts: Call
) -> None:
    both = asyncio.Barrier(2)

    async def the_same(interview: Document) -> Any:
        """Like a model that gives equal answers to equal requests; the first two requests meet here."""
        if not interview["exclude"]:
            await both.wait()
        new = [f"Why {number}?" for number in range(40) if f"Why {number}?" not in interview["exclude"]]
        return provider.of(*new[: interview["count"]])

    provider.will(*[the_same] * 9)
    session = await start(questionCount=10)
    jobs = [session["generation"]["jobId"], await more(session, count=10)]
    done = await asyncio.gather(*[attempt(job) for job in jobs])
    assert [job["result"]["questions"] for job in done] == [10, 10]
    found = await texts(session)
    assert len(set(found)) == len(found) == 20
    assert counts(provider) == [10, 10, 10], "what has been paid for is taken from the journal"


async def test_a_question_that_the_person_adds_meanwhile_is_not_stored_a_second_time(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    session = await start(questionCount=2)

    async def overtaken(_: Document) -> Any:
        await container.questions.add(user, session["_id"], NewQuestion(text="why?"))
        return provider.of("Why?", "How?")

    provider.will(overtaken)
    await attempt(session["generation"]["jobId"])
    assert sorted(await texts(session)) == ["How?", "What is number 0?", "why?"]


async def _soon(answer: Any) -> Any:
    return answer
