"""A language-model provider that misbehaves: what is tried again, what ends the job, and what a person reads then."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
import structlog
from prometheus_client import REGISTRY
from pydantic import ValidationError

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.generation.schemas import GeneratedSet
from qa_service.llm.replies import InvalidReplyError, ModelUnavailableError
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
GIVEN_UP = "It did not work in 3 attempts. Please try again later."
WHOLE = '{"text": "Why?", "answer": "So.", "difficulty": "easy", "category": "SQL", "keyPoints": [], "followUps": []}'


class Provider(Protocol):
    interviews: list[Document]
    will: Callable[..., None]
    of: Callable[..., Any]
    saying: Callable[..., Any]
    failing: Callable[..., Any]


def reply(**changed: str) -> str:
    """A reply of one question in which fields, given as JSON, are replaced."""
    changes = ", ".join(f'"{name}": {value}' for name, value in changed.items())
    return f'{{"questions": [{WHOLE[:-1]}, {changes}}}]}}'


async def states(container: QaContainer) -> list[str]:
    """What came of the calls, in order."""
    found = await container.resources.mongo.db.llm_calls.find({}).sort("try").to_list()
    return [entry["state"] for entry in found]


UNUSABLE: dict[str, str] = {
    "nothing": "",
    "no JSON": "Here are your questions: 1. Why?",
    "broken off": '{"questions": [{"text": "Wh',
    "a list": "[]",
    "without questions": "{}",
    "a question that lacks fields": '{"questions": [{"text": "Why?"}]}',
    "an unknown difficulty": reply(difficulty='"extreme"'),
    "an empty question": reply(text='"  "'),
    "an oversized question": reply(text=f'"{"x" * 2_001}"'),
    "an oversized answer": reply(answer=f'"{"x" * 20_001}"'),
    "an oversized category": reply(category=f'"{"x" * 61}"'),
    "an oversized point": reply(keyPoints=f'["{"x" * 501}"]'),
    "too many points": reply(keyPoints=f"[{','.join(['1'] * 21)}]"),
    "a NUL": reply(text='"a\\u0000b"'),
    "half a character": reply(text='"\\ud800"'),
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE)
def test_a_reply_that_could_not_be_stored_does_not_fit(content: str) -> None:
    with pytest.raises(ValidationError):
        GeneratedSet.model_validate_json(content)


@pytest.mark.parametrize("content", [None, UNUSABLE["no JSON"], UNUSABLE["an oversized question"]])
async def test_a_reply_that_does_not_fit_is_not_kept_and_the_next_attempt_asks_again(
    content: str | None, provider: Provider, container: QaContainer, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(provider.saying(content), provider.of("How?"))
    session = await start(questionCount=1)
    job_id = session["generation"]["jobId"]
    with pytest.raises(InvalidReplyError):
        await attempt(job_id)
    assert await texts(session) == []
    assert await states(container) == ["invalid"]
    assert (await attempt(job_id))["status"] == "succeeded"
    assert await texts(session) == ["How?"]
    assert await states(container) == ["invalid", "done"]


async def test_a_cut_reply_makes_the_batches_smaller(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    cut = provider.saying('{"questions": [{"text": "Wh', "length")
    provider.will(cut, cut)
    session = await start(questionCount=10)
    await attempt(session["generation"]["jobId"])
    assert [interview["count"] for interview in provider.interviews] == [10, 5, 2, 2, 2, 2, 2]
    assert len(await texts(session)) == 10


async def test_a_cut_reply_of_a_single_question_is_asked_again_in_the_next_attempt(
    provider: Provider, start: Call, attempt: Call
) -> None:
    provider.will(provider.saying("    ", "length"))
    session = await start(questionCount=1)
    with pytest.raises(InvalidReplyError):
        await attempt(session["generation"]["jobId"])
    assert (await attempt(session["generation"]["jobId"]))["status"] == "succeeded"


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
async def test_the_tokens_of_a_reply_that_cannot_be_used_are_counted_too(
    finish_reason: str, provider: Provider, start: Call, attempt: Call
) -> None:
    def used() -> float:
        labels = {"model": "model-that-answered", "direction": "output"}
        return REGISTRY.get_sample_value("intervai_llm_tokens_total", {**labels, "provider": "openai"}) or 0

    provider.will(provider.saying("", finish_reason), provider.of("Why?"), provider.of("How?"))
    session = await start(questionCount=2)
    before = used()
    await attempt(session["generation"]["jobId"])
    assert used() == before + 5 * len(provider.interviews)


async def test_a_busy_provider_is_asked_again_when_it_says_so_within_the_same_attempt(
    provider: Provider, start: Call, attempt: Call
) -> None:
    provider.will(provider.failing(429, Retry_After="1"))
    session = await start(questionCount=1)
    began = time.monotonic()
    job = await attempt(session["generation"]["jobId"])
    assert time.monotonic() - began >= 1
    assert (job["status"], job["attempt"], len(provider.interviews)) == ("succeeded", 1, 2)


async def test_a_passing_fault_of_the_provider_costs_nothing_but_time(
    provider: Provider, start: Call, attempt: Call
) -> None:
    provider.will(provider.failing(500, Retry_After_Ms="1"), provider.failing(503, Retry_After_Ms="1"))
    session = await start(questionCount=1)
    job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["attempt"], len(provider.interviews)) == ("succeeded", 1, 3)


async def test_a_lasting_fault_is_given_up_after_three_attempts(
    provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    provider.will(*[provider.failing(500, Retry_After_Ms="1")] * 20)
    session = await start()
    job_id = session["generation"]["jobId"]
    for _ in range(3):
        with pytest.raises(Exception, match="500"):
            await attempt(job_id)
    asked = len(provider.interviews)
    job = await attempt(job_id)
    assert (job["status"], job["error"]) == ("failed", GIVEN_UP)
    assert len(provider.interviews) == asked
    assert await texts(session) == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_provider_that_is_away_for_long_uses_up_no_attempts(
    status: int, provider: Provider, start: Call, attempt: Call, texts: Call
) -> None:
    tries = 5 * 3  # of attempts, and of the client in each
    provider.will(*[provider.failing(status, Retry_After_Ms="1")] * tries, provider.of("Why?"))
    session = await start(questionCount=1)
    job_id = session["generation"]["jobId"]
    for _ in range(5):
        with pytest.raises(ModelUnavailableError):
            await attempt(job_id)
    assert (await attempt(job_id))["status"] == "succeeded"
    assert len(provider.interviews) == tries + 1
    assert await texts(session) == ["Why?"]


async def test_a_provider_that_cannot_be_reached_or_is_silent_is_an_outage(
    settings: QaSettings, ask: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def takes_and_says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(takes_and_says_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    monkeypatch.setattr("qa_service.llm.chain.ASK_SECONDS", 0.2)
    changed = settings.model_copy(update={"openai_base_url": url})
    with pytest.raises(ModelUnavailableError):
        await ask(settings=changed)
    server.close()
    with pytest.raises(ModelUnavailableError):
        await ask(settings=changed)


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refused_request_fails_the_job_at_once_and_never_tells_the_key(
    status: int, provider: Provider, start: Call, attempt: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.environ["OPENAI_API_KEY"]
    provider.will(provider.failing(status, f"Incorrect API key provided: {key}."))
    monkeypatch.setattr("qa_service.llm.chain.log", structlog.get_logger())
    session = await start()
    with structlog.testing.capture_logs() as lines:
        job = await attempt(session["generation"]["jobId"])
    assert (job["status"], job["error"]) == ("failed", "The language model refused the request.")
    assert len(provider.interviews) == 1
    assert [line["status"] for line in lines if line["event"] == "model refuses the request"] == [status]
    assert key not in f"{job}{lines}"


REFUSALS = {"refusal": (None, "stop", "I cannot help with that."), "filter": ("", "content_filter", None)}


@pytest.mark.parametrize("how", REFUSALS.values(), ids=REFUSALS)
async def test_a_model_that_declines_is_not_asked_again(
    how: tuple[Any, ...], provider: Provider, start: Call, attempt: Call
) -> None:
    provider.will(provider.saying(*how))
    session = await start()
    job = await attempt(session["generation"]["jobId"])
    assert job["status"] == "failed"
    assert job["error"] == "The language model declined to answer this."
    assert len(provider.interviews) == 1
