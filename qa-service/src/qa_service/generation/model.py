"""The language model: OpenAI's chat completions with structured output, from OpenAI or a server that speaks its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
from openai import AsyncOpenAI
from prometheus_client import Counter

from intervai_shared.jobs import PermanentError
from intervai_shared.logs import log
from qa_service.generation import prompt
from qa_service.generation.schemas import reply_schema
from qa_service.settings import QaSettings

TOKENS = Counter("intervai_llm_tokens_total", "Tokens used", ["model", "direction"])
_PERMANENT = (
    openai.AuthenticationError,
    openai.PermissionDeniedError,
    openai.BadRequestError,
    openai.NotFoundError,
    openai.UnprocessableEntityError,
)


@dataclass(frozen=True)
class Reply:
    """A raw reply. `model` is the one that really answered; `cut`: it hit the token limit, so ask for fewer."""

    content: str
    model: str
    input_tokens: int
    output_tokens: int
    cut: bool = False


class QuestionModel:
    """Asks for questions."""

    def __init__(self, client: AsyncOpenAI, model: str) -> None:
        self._client = client
        self._model = model

    async def ask(self, interview: dict[str, Any]) -> Reply:
        """The raw reply to one call; transient faults are tried again by the client (429 and 5xx, with Retry-After).

        Raises:
            PermanentError: the key or the request is refused, or the model declines.
            openai.OpenAIError: it did not work for now.
        """
        messages: Any = prompt.messages(interview)
        schema: Any = {"name": "interview_questions", "strict": True, "schema": reply_schema()}
        try:
            completion = await self._client.chat.completions.create(
                model=self._model,
                messages=messages,
                response_format={"type": "json_schema", "json_schema": schema},
            )
        except _PERMANENT as error:
            # Without the provider's own words: they may repeat a part of the key.
            log.error("model refuses the request", status=error.status_code, code=error.code, param=error.param)
            raise PermanentError("The language model refused the request.") from error
        return _reply(completion)


def _reply(completion: Any) -> Reply:
    choice, used = completion.choices[0], completion.usage
    reply = Reply(
        choice.message.content or "",
        completion.model,
        used.prompt_tokens if used else 0,
        used.completion_tokens if used else 0,
        cut=choice.finish_reason == "length",
    )
    # Also what cannot be used has been paid for.
    TOKENS.labels(reply.model, "input").inc(reply.input_tokens)
    TOKENS.labels(reply.model, "output").inc(reply.output_tokens)
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise PermanentError("The language model declined to write questions for this interview.")
    return reply


@asynccontextmanager
async def open_model(settings: QaSettings) -> AsyncIterator[QuestionModel]:
    """The client, for the life of a process."""
    client = AsyncOpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        timeout=settings.openai_timeout_seconds,
        max_retries=2,
    )
    async with client:
        yield QuestionModel(client, settings.openai_model)
