"""Chat completions, as OpenAI's API shapes them (https://platform.openai.com/docs/api-reference/chat)."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

from offline_llm.answers import ANSWERS
from offline_llm.bank import Bank, normalised
from offline_llm.faults import Fault, spoil
from offline_llm.schemas import SchemaError, plainest

MODEL = "intervai-offline-1"
_FENCED = re.compile(r"<(\w+)>\s*(\{.*\})\s*</\1>", re.DOTALL)
_CHUNK_CHARACTERS = 48


class RequestError(Exception):
    """The request is not one of the API; its text goes to the caller."""


def answer(bank: Bank, request: dict[str, Any], fault: Fault | None = None) -> dict[str, Any]:
    """A chat.completion object, spoilt by a fault. Raises RequestError."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise RequestError("'messages' must be a list of messages")
    if not isinstance(request.get("model"), str):
        raise RequestError("you must provide a model parameter")
    text = _last_user_text(messages)
    content = _content(bank, text, _schema(request.get("response_format")))
    prompt_tokens = sum(len(str(message.get("content", ""))) for message in messages) // 4 + 1
    completion = _completion(content, prompt_tokens)
    if fault:
        spoil(fault, completion, _data(text) or {})
    return completion


def _completion(content: str, prompt_tokens: int) -> dict[str, Any]:
    tokens = len(content) // 4 + 1
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens,
        },
    }


def chunks(completion: dict[str, Any], include_usage: bool) -> Iterator[dict[str, Any]]:
    """The same answer as chat.completion.chunk objects."""
    common = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    choice = completion["choices"][0]
    content, refusal = choice["message"]["content"] or "", choice["message"]["refusal"]
    yield chunk({"role": "assistant", "content": ""})
    if refusal:
        yield chunk({"refusal": refusal})
    for start in range(0, len(content), _CHUNK_CHARACTERS):
        yield chunk({"content": content[start : start + _CHUNK_CHARACTERS]})
    yield chunk({}, choice["finish_reason"])
    if include_usage:
        yield {**common, "choices": [], "usage": completion["usage"]}


def _content(bank: Bank, text: str, schema: tuple[str, dict[str, Any]] | None) -> str:
    data = _data(text)
    if schema and schema[0] in ANSWERS and data is not None:
        return json.dumps(ANSWERS[schema[0]](bank, data))
    if schema:
        return json.dumps(_instance(schema[1]))
    return _nearest(bank, text)


def _instance(schema: dict[str, Any]) -> Any:
    try:
        return plainest(schema)
    except SchemaError as error:
        raise RequestError("the JSON schema is not of the supported subset") from error


def _data(text: str) -> dict[str, Any] | None:
    """The JSON object that stands between two tags."""
    if found := _FENCED.search(text):
        try:
            data = json.loads(found[2])
        except (ValueError, RecursionError) as error:
            raise RequestError("what stands between the tags is not JSON") from error
        return data if isinstance(data, dict) else None
    return None


def _nearest(bank: Bank, text: str) -> str:
    """The answer to the question of the bank that shares the most words with the text."""
    words = set(normalised(text).split())
    questions = [question for topic in bank.topics for question in topic.questions]
    best = max(questions, key=lambda question: len(words & set(normalised(question["text"]).split())))
    return f"{best['text']}\n\n{best['answer']}"


def _last_user_text(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            parts = content if isinstance(content, list) else []
            return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
    return ""


def _schema(response_format: Any) -> tuple[str, dict[str, Any]] | None:
    if response_format is None or response_format == {"type": "text"}:
        return None
    described = response_format.get("json_schema") if isinstance(response_format, dict) else None
    if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
        raise RequestError("'response_format' must be text or json_schema with a schema")
    return str(described.get("name", "")), described["schema"]
