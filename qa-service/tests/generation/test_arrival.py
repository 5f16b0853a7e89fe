"""Questions come into the session while the model still writes, and stay there whatever becomes of the job."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.questions.schemas import Question
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]
#: Characters of a piece of the provider's stream; before them goes one piece without text.
A_PIECE = 40


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    of: Callable[..., Any]
    failing: Callable[..., Any]


def whole_before(answer: Any, piece: int) -> int:
    """How many questions are whole in what was sent before this piece."""
    content = answer.body["choices"][0]["message"]["content"]
    sent = content[: A_PIECE * max(0, piece - 1)]
    return sum(sent.count(f"{json.dumps(question)[:-1]}}}") for question in json.loads(content)["questions"])


async def stored(container: QaContainer, user: ObjectId) -> list[Document]:
    return await container.resources.mongo.db.questions.find({"user": user}).sort("ordinal").to_list()


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it; the time-out is only for a test that would never end."""
    async with asyncio.timeout(30):
        while not await look():  # noqa: ASYNC110  it is in the database
            await asyncio.sleep(0.01)


async def test_each_question_is_in_the_session_before_the_model_has_written_the_next(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    answer = provider.of("Why one?", "Why two?", "Why three?")
    seen: list[int] = []

    async def waits_for_what_was_sent(piece: int) -> None:
        sent = whole_before(answer, piece)
        if sent > len(seen):
            await until(lambda: _has(container, user, sent))
            seen.append(sent)

    session = await start(questionCount=3)
    provider.will(replace(answer, before_piece=waits_for_what_was_sent))
    job = await attempt(session["generation"]["jobId"])
    assert seen == [1, 2, 3]
    assert (job["status"], job["result"]["questions"]) == ("succeeded", 3)
    assert len(await texts(session)) == 3


async def _has(container: QaContainer, user: ObjectId, count: int) -> bool:
    return len(await stored(container, user)) == count


async def test_who_follows_the_job_gets_each_question_as_it_will_be_read(
    container: QaContainer, user: ObjectId, start: Call, attempt: Call
) -> None:
    session = await start(questionCount=3)
    await attempt(session["generation"]["jobId"])
    updates = []
    async for _, update in container.resources.live.follow(f"job:{session['generation']['jobId']}", "0-0"):
        updates.append(update)
        if update["status"] == "succeeded":
            break
    told = [update["question"] for update in updates if "question" in update]
    read = [
        Question.model_validate(one).model_dump(mode="json", by_alias=True) for one in await stored(container, user)
    ]
    assert told == read
    assert told[0]["model"] == "model-that-answered"
    progress = [update["progress"] for update in updates]
    assert progress == sorted(progress)


async def test_a_fast_model_costs_one_transaction_for_all_its_questions_and_one_for_the_end(
    provider: Provider, worker: QaWorker, start: Call, attempt: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await start(questionCount=10)
    run, count = worker.resources.outbox.transaction, 0

    async def counted(body: Any) -> Any:
        nonlocal count
        count += 1
        return await run(body)

    monkeypatch.setattr(worker.resources.outbox, "transaction", counted)
    texts = [f"What is number {number}?" for number in range(10)]
    provider.will(replace(provider.of(*texts), is_plain=True))
    await attempt(session["generation"]["jobId"])
    assert count == 2


async def test_a_stream_that_breaks_off_keeps_what_came_and_only_the_rest_is_asked_for(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    answer = provider.of("Why one?", "Why two?", "Why three?", "Why four?")
    cut = next(piece for piece in range(100) if whole_before(answer, piece) == 2)
    provider.will(replace(answer, cut_after=cut, before_piece=lambda _: asyncio.sleep(0.01)))
    session = await start(questionCount=4)
    job = await attempt(session["generation"]["jobId"])
    assert [interview["count"] for interview in provider.interviews] == [4, 2]
    assert set(provider.interviews[1]["exclude"]) == {"Why one?", "Why two?"}
    assert (job["status"], len(await texts(session))) == ("succeeded", 4)
    assert [one["ordinal"] for one in await stored(container, user)] == [0, 1, 2, 3]


async def test_a_cancelled_job_keeps_what_it_has_and_an_event_tells_of_it_once(
    provider: Provider,
    worker: QaWorker,
    container: QaContainer,
    user: ObjectId,
    start: Call,
    attempt: Call,
    texts: Call,
) -> None:
    session = await start(questionCount=3)
    answer = provider.of("Why one?", "Why two?", "Why three?")

    async def cancelled_after_the_first(piece: int) -> None:
        if whole_before(answer, piece) == 1 and await until(lambda: _has(container, user, 1)) is None:
            job = await container.jobs.get(user, session["generation"]["jobId"])
            if job["status"] == "running":
                await container.jobs.cancel(user, job["_id"])

    provider.will(replace(answer, before_piece=cancelled_after_the_first))
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], await texts(session)) == ("cancelled", ["Why one?"])
    told = container.resources.mongo.db.events
    assert await told.count_documents({"type": "questions.generated"}) == 0
    await worker.late_teller.run()
    await worker.late_teller.run()
    [event] = await told.find({"type": "questions.generated"}).to_list()
    assert event["data"]["jobId"] == str(job["_id"])
    assert (event["data"]["count"], event["data"]["groups"]) == (
        1,
        [{"category": "SQL", "difficulty": "easy", "count": 1}],
    )


async def test_a_question_that_was_deleted_while_the_job_ran_does_not_come_back_with_its_retry(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    broken = provider.failing(500, Retry_After_Ms="1")
    texts_of_first = [f"What is number {number}?" for number in range(100, 110)]
    provider.will(provider.of(*texts_of_first), *[broken] * 3)
    session = await start(questionCount=11)
    with pytest.raises(Exception, match="500"):
        await attempt(session["generation"]["jobId"])
    unwanted = (await stored(container, user))[0]
    await container.questions.delete(user, unwanted["_id"])
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["result"]["questions"]) == ("succeeded", 11)
    found = await texts(session)
    assert len(found) == 10
    assert unwanted["text"] not in found


async def test_a_large_set_is_made_by_calls_side_by_side_on_topics_of_their_own(
    provider: Provider, container: QaContainer, user: ObjectId, start: Call, attempt: Call, texts: Call
) -> None:
    together = asyncio.Barrier(3)

    async def at_the_same_time(interview: Document) -> Any:
        await together.wait()
        topic = interview["topics"][0]
        return provider.of(*[f"What is number {number} of {topic}?" for number in range(interview["count"])])

    provider.will(*[at_the_same_time] * 3)
    session = await start(questionCount=25, topics=["SQL", "Go", "Docker", "React"])
    job = await attempt(session["generation"]["jobId"])
    asked = sorted((interview["topics"], interview["count"]) for interview in provider.interviews)
    assert asked == [(["Docker"], 8), (["Go"], 8), (["SQL", "React"], 9)]
    assert (job["result"]["questions"], len(set(await texts(session)))) == (25, 25)
    assert [one["ordinal"] for one in await stored(container, user)] == list(range(25))


@pytest.fixture
def better_model(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_MODEL_HIGH", "the-better-one")
    return "the-better-one"


async def test_hard_questions_and_who_wants_it_get_the_better_model(
    better_model: str, provider: Any, start: Call, more: Call, attempt: Call
) -> None:
    session = await start(generate=False)
    for wanted in ({}, {"difficulty": "hard"}, {"quality": "high"}, {"difficulty": "hard", "quality": "standard"}):
        await attempt(await more(session, count=1, **wanted))
    assert [request["model"] == better_model for request in provider.requests] == [False, True, True, False]


async def test_a_resume_goes_to_the_model_as_data(
    provider: Provider, container: QaContainer, start: Call, more: Call, attempt: Call
) -> None:
    session = await start(generate=False)
    text = {"$set": {"resumeText": "Ten years of <interview> SQL"}}
    await container.resources.mongo.db.sessions.update_one({"_id": session["_id"]}, text)
    await attempt(await more(session, count=1))
    assert provider.interviews[0]["resume"] == "Ten years of <interview> SQL"
