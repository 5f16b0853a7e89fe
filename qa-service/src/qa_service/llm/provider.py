"""A provider of language models: OpenAI's chat completions, from OpenAI or a server that speaks its API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai import AsyncOpenAI
from prometheus_client import Counter

from intervai_shared.jobs import PermanentError
from intervai_shared.logs import log
from qa_service.llm.prompt import Prompt
from qa_service.llm.replies import ModelUnavailableError, Reply
from qa_service.settings import QaSettings

TOKENS = Counter("intervai_llm_tokens_total", "Tokens used", ["model", "direction"])
_PERMANENT = (
    openai.AuthenticationError,
    openai.PermissionDeniedError,
    openai.BadRequestError,
    openai.NotFoundError,
    openai.UnprocessableEntityError,
)
#: Statuses that say nothing about this request: the provider, or what stands before it, cannot answer now.
_BUSY = frozenset({429, 502, 503, 504, 529})
#: Seconds that one call may take with its tries: less than a job may, so that silence counts as an outage, not as a
#: job that takes too long.
ASK_SECONDS = 100.0
CONNECT_SECONDS = 5.0


class Provider:
    """One server and one model of it."""

    def __init__(self, client: AsyncOpenAI, model: str) -> None:
        self._client = client
        self._model = model

    async def ask(self, prompt: Prompt) -> Reply:
        """The raw reply to one call; transient faults are tried again by the client (429 and 5xx, with Retry-After).

        Raises:
            PermanentError: the key or the request is refused, or the model declines.
            ModelUnavailableError: it cannot be reached, or is too busy.
            openai.OpenAIError: it did not work for now.
        """
        messages: Any = prompt.messages()
        response_format: Any = prompt.response_format()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                completion = await self._client.chat.completions.create(
                    model=self._model, messages=messages, response_format=response_format
                )
        except (TimeoutError, openai.APIConnectionError) as error:
            raise ModelUnavailableError("The language model cannot be reached.") from error
        except _PERMANENT as error:
            # Without the provider's own words: they may repeat a part of the key.
            log.error("model refuses the request", status=error.status_code, code=error.code, param=error.param)
            raise PermanentError("The language model refused the request.") from error
        except openai.APIStatusError as error:
            if error.status_code in _BUSY:
                raise ModelUnavailableError(f"The language model answers {error.status_code}.") from error
            raise
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
async def open_provider(settings: QaSettings) -> AsyncIterator[Provider]:
    """The client, for the life of a process."""
    client = AsyncOpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        timeout=openai.Timeout(settings.openai_timeout_seconds, connect=CONNECT_SECONDS),
        max_retries=2,
    )
    async with client:
        yield Provider(client, settings.openai_model)
