"""A provider of language models: OpenAI's chat completions, from OpenAI or a server that speaks its API."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai
import stamina
from circuitbreaker import CircuitBreaker
from openai import AsyncOpenAI

from qa_service.llm import faults, metrics
from qa_service.llm.listening import Listener, StoppedError, listen
from qa_service.llm.prompt import Prompt
from qa_service.llm.received import Received

#: Tries of one call at one provider; between them its Retry-After, else about this many seconds, doubled each time.
TRIES = 3
WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0
#: Failed tries in a row after which a provider is left alone for a while.
BREAK_AFTER = 8
BREAK_SECONDS = 5


@dataclass(frozen=True)
class Provider:
    """One model of one server. `stream`: whether it may be asked to stream. `patience`: the longest Retry-After, in
    seconds, that is waited for here."""

    name: str
    model: str
    client: AsyncOpenAI
    breaker: CircuitBreaker
    stream: bool = True
    patience: float = 20.0

    @property
    def labels(self) -> Mapping[str, str]:
        """Of its metrics."""
        return {"provider": self.name, "model": self.model}

    async def ask(self, prompt: Prompt, listener: Listener) -> None:
        """Gets a reply into `listener.received`; passing faults are tried again, as long as nothing has been handed
        over.

        Raises:
            ModelUnavailableError: its breaker is open.
            PermanentError: the model declines.
            Exception: what `faults` can tell apart.
        """

        def wait(error: Exception) -> float | bool:
            if listener.has_told or self.breaker.opened:
                return False
            return faults.wait_seconds(error, self.patience)

        retries = stamina.retry_context(
            on=wait, attempts=TRIES, timeout=None, wait_initial=WAIT_SECONDS, wait_max=LONGEST_WAIT_SECONDS
        )
        async for attempt in retries:
            with attempt:
                await self._try(prompt, listener)

    async def _try(self, prompt: Prompt, listener: Listener) -> None:
        is_open = self.breaker.opened
        metrics.BREAKER_OPEN.labels(**self.labels).set(is_open)
        if is_open:
            raise faults.BreakerOpenError
        listener.received, listener.provider = Received(), self.name
        began = time.perf_counter()
        try:
            with self.breaker:
                await self._call(prompt, listener, began)
        except StoppedError:
            raise
        except Exception as error:
            if not listener.has_told:
                listener.forget()
            self._count("failed")
            metrics.ERRORS.labels(**self.labels, error=faults.name(error)).inc()
            raise
        metrics.SECONDS.labels(**self.labels).observe(time.perf_counter() - began)
        self._count("refused" if _declines(listener.received) else "answered")

    async def _call(self, prompt: Prompt, listener: Listener, began: float) -> None:
        call = self.client.chat.completions.with_streaming_response.create(**self._request(prompt, listener))
        async with call as response:
            await listen(response, listener, prompt.max_output_tokens)
        if listener.received.first_at:
            metrics.FIRST_PIECE.labels(**self.labels).observe(listener.received.first_at - began)

    def _request(self, prompt: Prompt, listener: Listener) -> dict[str, Any]:
        stream = {"stream": True, "stream_options": {"include_usage": True}}
        return {
            "model": self.model,
            "messages": prompt.messages(),
            "response_format": prompt.response_format(),
            "temperature": openai.omit if prompt.temperature is None else prompt.temperature,
            "max_completion_tokens": prompt.max_output_tokens,
            **(stream if self.stream and listener.wants_pieces else {}),
        }

    def _count(self, result: str) -> None:
        metrics.CALLS.labels(**self.labels, result=result).inc()


def new_breaker(name: str, after: int = BREAK_AFTER) -> CircuitBreaker:
    """Opens after so many faults in a row that say that the server is ill; to be told to wait is none."""
    return CircuitBreaker(after, BREAK_SECONDS, lambda _, error: faults.is_illness(error), name)


def _declines(received: Received) -> bool:
    return bool(received.refusal) or received.finish == "content_filter"
