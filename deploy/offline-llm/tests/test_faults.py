"""What the model's name makes the server do, asked with the real client."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from offline_llm.bank import normalised
from offline_llm.faults import PASSING, fault_of
from offline_llm.server import create_app
from offline_llm.settings import OfflineSettings

QUESTIONS: Any = {"type": "json_schema", "json_schema": {"name": "interview_questions", "schema": {"type": "object"}}}


@pytest.fixture
async def model() -> AsyncIterator[AsyncOpenAI]:
    transport = httpx2.ASGITransport(create_app(OfflineSettings()))
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        AsyncOpenAI(api_key="x", base_url="http://offline/v1", http_client=http, max_retries=0) as client,
    ):
        yield client


def asking(fault: str, **changed: Any) -> dict[str, Any]:
    interview = {"role": "Cook", "experience": "junior", "topics": ["Python"], "count": 8, "difficulty": None}
    fenced = f"<interview>\n{json.dumps({**interview, **changed})}\n</interview>"
    message = {"role": "user", "content": fenced}
    return {"model": f"offline?fault={fault}", "messages": [message], "response_format": QUESTIONS}


async def answered(model: AsyncOpenAI, fault: str, **changed: Any) -> Any:
    return (await model.chat.completions.create(**asking(fault, **changed))).choices[0]


async def test_a_rate_limit_says_when_to_come_again(model: AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as refused:
        await answered(model, "rate-limit&after=7")
    assert refused.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(("fault", "status"), [("error", 500), ("error&status=503", 503)])
async def test_an_error_has_the_status_that_was_asked_for(fault: str, status: int, model: AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        await answered(model, fault)
    assert refused.value.status_code == status


async def test_any_is_each_time_another_fault(model: AsyncOpenAI) -> None:
    found = {fault.name for _ in range(100) if (fault := fault_of("offline?fault=any&share=0.9&seed=5"))}
    assert found == set(PASSING)
    answers = await asyncio.gather(*[answered(model, "any&seed=6") for _ in range(30)], return_exceptions=True)
    assert {type(answer) for answer in answers} > {openai.RateLimitError, openai.InternalServerError}


async def test_about_the_asked_share_of_the_requests_meets_the_fault(model: AsyncOpenAI) -> None:
    async def outcomes(seed: int) -> list[bool]:
        answers = [answered(model, f"error&share=0.5&seed={seed}", count=1) for _ in range(40)]
        return [isinstance(found, Exception) for found in await asyncio.gather(*answers, return_exceptions=True)]

    assert 8 < sum(await outcomes(1)) < 32


async def test_time_out_is_silence(model: AsyncOpenAI) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await answered(model, "timeout")


async def test_a_cut_stream_has_no_end(model: AsyncOpenAI) -> None:
    chunks = [chunk async for chunk in await model.chat.completions.create(**asking("cut-stream"), stream=True)]
    assert len(chunks) > 5
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


async def test_a_reply_of_too_great_length_is_cut_and_says_so(model: AsyncOpenAI) -> None:
    choice = await answered(model, "length")
    assert choice.finish_reason == "length"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(choice.message.content)


async def test_a_refusal_has_no_content_also_in_a_stream(model: AsyncOpenAI) -> None:
    choice = await answered(model, "refusal")
    assert (choice.message.content, bool(choice.message.refusal)) == (None, True)
    chunks = [chunk async for chunk in await model.chat.completions.create(**asking("refusal"), stream=True)]
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == choice.message.refusal


async def test_invalid_json_ends_as_if_it_were_whole(model: AsyncOpenAI) -> None:
    choice = await answered(model, "invalid-json")
    assert choice.finish_reason == "stop"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(choice.message.content)


async def test_a_wrong_schema_is_json_without_questions(model: AsyncOpenAI) -> None:
    assert "questions" not in json.loads((await answered(model, "schema")).message.content)


async def test_white_space_goes_on_for_long(model: AsyncOpenAI) -> None:
    content = (await answered(model, "whitespace")).message.content
    assert len(content) - len(content.rstrip()) == 40_000


async def test_the_wrong_language_keeps_the_form(model: AsyncOpenAI) -> None:
    right, wrong = [json.loads((await answered(model, fault)).message.content) for fault in ("", "wrong-language")]
    assert len(wrong["questions"]) == len(right["questions"])
    for question in wrong["questions"]:
        assert question["difficulty"] in {"easy", "medium", "hard"}
        assert not any("a" <= char <= "z" for char in question["text"])


async def test_duplicates_repeat_what_was_to_be_excluded_in_slightly_other_words(model: AsyncOpenAI) -> None:
    known = [question["text"] for question in json.loads((await answered(model, "")).message.content)["questions"]]
    choice = await answered(model, "duplicates&share=0.7&seed=3", exclude=known)
    texts = [question["text"] for question in json.loads(choice.message.content)["questions"]]
    words = [set(normalised(text).split()) for text in known]
    alike = [max(len(set(normalised(text).split()) & one) / len(one) for one in words) for text in texts]
    assert 3 <= sum(share > 0.6 for share in alike) < len(texts)


async def test_an_unknown_name_is_answered_as_always(model: AsyncOpenAI) -> None:
    plain = await answered(model, "")
    assert (await answered(model, "nobody-knows-it")).message.content == plain.message.content
