"""The running server, asked with the real `openai` client as services ask it."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from offline_llm import bank

MODEL = "intervai-offline-1"
INTERVIEW = {"role": "Cook", "experience": "junior", "topics": ["Python", "Soup"], "count": 4, "difficulty": None}
FIELDS = {
    **{name: {"type": "string"} for name in ("text", "answer", "category")},
    **{name: {"type": "array", "items": {"type": "string"}} for name in ("keyPoints", "followUps")},
    "difficulty": {"type": "string", "enum": ["easy", "medium", "hard"]},
}
QUESTION = {"type": "object", "properties": FIELDS, "required": list(FIELDS), "additionalProperties": False}
SCHEMA = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": QUESTION}},
    "required": ["questions"],
    "additionalProperties": False,
}
WANTED = {
    "type": "json_schema",
    "json_schema": {"name": "interview_questions", "strict": True, "schema": SCHEMA},
}


class Mark(BaseModel):
    score: int


class Feedback(BaseModel):
    marks: list[Mark]
    best: Mark
    hint: str | None


@pytest.fixture
async def model() -> AsyncIterator[AsyncOpenAI]:
    """The client, with its settings from OPENAI_BASE_URL and OPENAI_API_KEY."""
    async with AsyncOpenAI(max_retries=0) as client:
        yield client


@pytest.fixture
async def raw() -> AsyncIterator[httpx.AsyncClient]:
    """A client that may send what the other one would not."""
    async with httpx.AsyncClient(base_url=os.environ["OPENAI_BASE_URL"]) as client:
        yield client


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def interview(**changed: Any) -> dict[str, Any]:
    fenced = f"<interview>\n{json.dumps({**INTERVIEW, **changed})}\n</interview>"
    return asking(fenced, response_format=WANTED)


async def test_an_interview_gets_its_questions_in_the_asked_schema(model: AsyncOpenAI) -> None:
    completion = await model.chat.completions.create(**interview())
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.role, choice.message.refusal) == ("stop", "assistant", None)
    content = json.loads(choice.message.content or "")
    jsonschema.validate(content, SCHEMA)
    assert [question["category"] for question in content["questions"]] == ["Python", "Soup"] * 2


async def test_an_answer_names_the_model_that_made_it_and_not_the_asked_one(model: AsyncOpenAI) -> None:
    completion = await model.chat.completions.create(**interview())
    assert completion.model == MODEL
    assert MODEL in [known.id async for known in model.models.list()]


async def test_an_answer_tells_its_tokens(model: AsyncOpenAI) -> None:
    short, long = [(await model.chat.completions.create(**interview(count=count))).usage for count in (1, 20)]
    assert short
    assert long
    assert 0 < short.completion_tokens < long.completion_tokens
    assert long.total_tokens == long.prompt_tokens + long.completion_tokens


async def test_a_streamed_answer_has_the_same_content_in_pieces(model: AsyncOpenAI) -> None:
    whole = await model.chat.completions.create(**interview())
    chunks = [chunk async for chunk in await model.chat.completions.create(**interview(), stream=True)]
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(pieces) > 20
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert {(chunk.id, chunk.model) for chunk in chunks} == {(chunks[0].id, MODEL)}


async def test_a_stream_ends_with_its_usage_when_asked_for(model: AsyncOpenAI) -> None:
    whole = await model.chat.completions.create(**interview())
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await model.chat.completions.create(**interview(), **asked)]
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)


async def test_a_stream_is_server_sent_events_that_end_with_done(raw: httpx.AsyncClient) -> None:
    answer = await raw.post("chat/completions", json={**interview(), "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events)


async def test_any_other_schema_gets_an_instance_that_the_client_can_parse(model: AsyncOpenAI) -> None:
    completion = await model.chat.completions.parse(**asking("How good?"), response_format=Feedback)
    assert completion.choices[0].message.parsed == Feedback(marks=[], best=Mark(score=0), hint=None)


async def test_plain_text_gets_the_nearest_question_of_the_bank_with_its_answer(model: AsyncOpenAI) -> None:
    question = bank.load().topics[0].questions[0]
    words = question["text"].split()
    parts = [{"type": "text", "text": " ".join(half)} for half in (words[:4], words[4:])]
    for content in (question["text"], parts):
        messages: Any = [{"role": "system", "content": "Be short."}, {"role": "user", "content": content}]
        completion = await model.chat.completions.create(model="gpt-4o-mini", messages=messages)
        assert completion.choices[0].message.content == f"{question['text']}\n\n{question['answer']}"


BAD: dict[str, Any] = {
    "no JSON": "{",
    "no object": [],
    "no messages": {"model": "m"},
    "empty messages": {"model": "m", "messages": []},
    "messages that are none": {"model": "m", "messages": ["hello"]},
    "no model": {"messages": [{"role": "user", "content": "x"}]},
    "an unknown format": asking("x", response_format={"type": "xml"}),
    "a format without schema": asking("x", response_format={"type": "json_schema", "json_schema": {"name": "n"}}),
    "a broken schema": asking(
        "x", response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": []}}}
    ),
    "a broken interview": asking("<interview>{role}</interview>", response_format=WANTED),
    "a body too large": asking("x" * 1_100_000),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_a_bad_request_is_refused_in_the_shape_of_the_api(body: Any, raw: httpx.AsyncClient) -> None:
    answer = await raw.post("chat/completions", content=body if isinstance(body, str) else json.dumps(body))
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_the_client_understands_a_refusal(model: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="messages"):
        await model.chat.completions.create(model="m", messages=[])
    with pytest.raises(openai.NotFoundError):
        await model.embeddings.create(model="m", input="x")


async def test_odd_values_in_an_interview_are_no_failure(model: AsyncOpenAI) -> None:
    odd = interview(difficulty=["hard"], topics=[1, None, "\ud800"], exclude=5, count="many", role={})
    completion = await model.chat.completions.create(**odd)
    assert len(json.loads(completion.choices[0].message.content or "")["questions"]) == 10


@pytest.mark.parametrize("path", ["live", "ready"])
async def test_the_server_tells_its_health(path: str, raw: httpx.AsyncClient) -> None:
    answer = await raw.get(str(raw.base_url.copy_with(path=f"/health/{path}")))
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
