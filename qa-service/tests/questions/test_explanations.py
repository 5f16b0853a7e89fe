"""The deeper explanation of a question: made once for what it says, kept with it, stale when it says something else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.jobs import GaveUpError
from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.llm.replies import InvalidReplyError
from qa_service.worker import QaWorker

Call = Callable[..., Awaitable[Any]]
CONTENT = {
    "sections": [{"heading": "The idea", "text": "It is lazy."}],
    "example": "`x = 1`",
    "commonMistakes": ["To hurry."],
    "furtherReading": ["Iterators"],
}


@pytest.fixture
def work(worker: QaWorker, ask: Call) -> Call:
    """Does a job, and gives it as its owner sees it."""

    async def call(job_id: str) -> Document:
        await worker.work.run(ObjectId(job_id))
        return dict(await ask("GET", f"/jobs/{job_id}"))

    return call


@pytest.fixture
async def path(add: Call) -> str:
    question = await add("Why?", answer="So.", keyPoints=["a"], notes="private")
    return f"/questions/{question['id']}/explanation"


async def test_an_explanation_is_made_once_and_then_answered_at_once(
    ask: Call, work: Call, path: str, provider: Any
) -> None:
    await ask("GET", path, 404)
    provider.will(provider.saying(json.dumps(CONTENT)))
    job = await ask("POST", path, 202)
    assert (await work(job["jobId"]))["status"] == "succeeded"
    made = await ask("POST", path)
    assert {name: made[name] for name in CONTENT} == CONTENT
    assert (made["version"], made["isStale"], made["model"]) == (1, False, "model-that-answered")
    assert await ask("GET", path) == made
    [asked] = provider.interviews
    assert (asked["text"], asked["answer"], asked["keyPoints"]) == ("Why?", "So.", ["a"])
    assert "private" not in json.dumps(asked)
    question = await ask("GET", path.removesuffix("/explanation"))
    assert question["version"] == 1
    assert "explanation" not in question


async def test_it_is_stale_as_long_as_the_question_says_something_else(
    ask: Call, work: Call, path: str, provider: Any
) -> None:
    question = path.removesuffix("/explanation")
    provider.will(*[provider.saying(json.dumps(CONTENT))] * 2)
    await work((await ask("POST", path, 202))["jobId"])
    await ask("PATCH", question, json={"notes": "More", "isPinned": True})
    assert not (await ask("GET", path))["isStale"]
    await ask("PATCH", question, json={"answer": "Otherwise."})
    assert (await ask("GET", path))["isStale"]
    await ask("POST", f"{question}/undo")
    assert not (await ask("POST", path))["isStale"]
    await ask("POST", f"{question}/redo")
    await work((await ask("POST", path, 202))["jobId"])
    fresh = await ask("GET", path)
    assert (fresh["isStale"], fresh["version"]) == (False, 5)
    assert len(provider.requests) == 2


async def test_who_asks_twice_gets_the_job_that_is_under_way(
    path: str, http: Any, ask: Call, container: QaContainer
) -> None:
    answers = await asyncio.gather(*[http.post(f"/api/v1{path}") for _ in range(3)])
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["jobId"] for answer in answers}) == 1
    assert await container.resources.mongo.db.jobs.count_documents({}) == 1
    await ask("DELETE", f"/jobs/{answers[0].json()['jobId']}")
    assert (await ask("POST", path, 202))["jobId"] != answers[0].json()["jobId"]


async def test_what_the_model_gives_must_fit(ask: Call, work: Call, path: str, provider: Any) -> None:
    job = await ask("POST", path, 202)
    for wrong in ({**CONTENT, "sections": []}, {**CONTENT, "example": None}, {"questions": []}):
        provider.will(provider.saying(json.dumps(wrong)))
        with pytest.raises((InvalidReplyError, GaveUpError)):
            await work(job["jobId"])
    assert (await ask("GET", f"/jobs/{job['jobId']}"))["status"] == "failed"
    await ask("GET", path, 404)


async def test_lists_do_not_carry_explanations(
    ask: Call, work: Call, path: str, provider: Any, session: str, container: QaContainer
) -> None:
    provider.will(provider.saying(json.dumps(CONTENT)))
    await work((await ask("POST", path, 202))["jobId"])
    found = await container.resources.mongo.db.questions.find_one({})
    assert found
    page = await container.questions.page(found["user"], found["session"], {}, 5, None)
    assert "explanation" in found
    assert [question.keys() & {"explanation", "text"} for question in page["items"]] == [{"text"}]


async def test_the_explanation_goes_with_its_question(ask: Call, path: str, work: Call, provider: Any) -> None:
    job = await ask("POST", path, 202)
    await ask("DELETE", path.removesuffix("/explanation"), 204)
    assert (await work(job["jobId"]))["error"] == "The question has been deleted."
    assert provider.requests == []
    await ask("GET", path, 404)


async def test_a_reply_that_the_token_limit_cut_off_is_asked_again_in_the_next_attempt(
    ask: Call, work: Call, path: str, provider: Any
) -> None:
    provider.will(provider.saying('{"sections": [', "length"), provider.saying(json.dumps(CONTENT)))
    job = await ask("POST", path, 202)
    with pytest.raises(InvalidReplyError):
        await work(job["jobId"])
    assert (await work(job["jobId"]))["status"] == "succeeded"
    assert len(provider.interviews) == 2
