"""The providers in their order: the next one is asked when one cannot answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import openai
from openai import AsyncOpenAI

from intervai_shared.jobs import PermanentError
from intervai_shared.logs import log
from qa_service.llm import faults, metrics
from qa_service.llm.listening import Listener, StoppedError
from qa_service.llm.options import FallbackProvider
from qa_service.llm.prompt import Prompt, Quality
from qa_service.llm.provider import Provider, new_breaker
from qa_service.llm.replies import ModelUnavailableError
from qa_service.settings import QaSettings

#: Seconds that one call may take with all its tries at all providers: less than a job may, so that silence counts as an
#: outage, not as a job that takes too long.
ASK_SECONDS = 100.0
CONNECT_SECONDS = 5.0


class Chain:
    """Asks the providers of a quality one after the other until one has answered."""

    def __init__(self, providers: Mapping[Quality, Sequence[Provider]]) -> None:
        self._providers = providers

    def first(self, quality: Quality) -> Provider:
        """The one that is asked first."""
        return self._providers[quality][0]

    async def ask(self, prompt: Prompt, listener: Listener) -> Provider:
        """The provider whose reply stands in `listener.received`.

        Raises:
            PermanentError: all refuse the request.
            ModelUnavailableError: none can answer now.
            StoppedError: `on_text` has raised.
            Exception: it did not work for now, or broke off after `on_text` had been called: see `has_told`.
        """
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._ask(prompt, listener)
        except TimeoutError as error:
            raise ModelUnavailableError("The language model cannot be reached.") from error

    async def _ask(self, prompt: Prompt, listener: Listener) -> Provider:
        last: Exception | None = None
        for provider in self._providers[prompt.quality]:
            try:
                await provider.ask(prompt, listener)
            except StoppedError:
                raise
            except Exception as error:
                if listener.has_told:
                    raise
                last = _worse(provider, error, last)
            else:
                return provider
        if last is None:
            raise PermanentError(faults.REFUSED_REQUEST)
        raise faults.as_outage(last) from last


def _worse(provider: Provider, error: Exception, passing: Exception | None) -> Exception | None:
    """The newest passing fault. Raises PermanentError when nobody else should be asked."""
    is_status = isinstance(error, openai.APIStatusError)
    if not is_status and not faults.is_passing(error):
        raise error
    metrics.FALLBACKS.labels(**provider.labels, reason=faults.name(error)).inc()
    if faults.is_passing(error):
        log.warning("model does not answer", provider=provider.name, model=provider.model, error=faults.name(error))
        return error
    assert isinstance(error, openai.APIStatusError)  # noqa: S101  narrows the type for mypy
    # Without the provider's own words: they may repeat a part of the key.
    log.error(
        "model refuses the request",
        provider=provider.name,
        model=provider.model,
        status=error.status_code,
        code=error.code,
        param=error.param,
    )
    if faults.is_about_content(error):
        raise PermanentError(faults.DECLINED) from error
    return passing


@asynccontextmanager
async def open_chain(settings: QaSettings) -> AsyncIterator[Chain]:
    """The providers' clients, for the life of a process."""
    first = FallbackProvider(
        name="openai",
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        model_high=settings.openai_model_high,
    )
    async with AsyncExitStack() as stack:
        chains: dict[Quality, list[Provider]] = {"standard": [], "high": []}
        for described in [first, *settings.llm_fallbacks]:
            client = await stack.enter_async_context(_client(described, settings))
            standard = _provider(described, described.model, client, settings)
            high = described.model_high
            chains["standard"].append(standard)
            chains["high"].append(_provider(described, high, client, settings) if high else standard)
        yield Chain(chains)


def _client(described: FallbackProvider, settings: QaSettings) -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key=described.api_key.get_secret_value(),
        base_url=described.base_url,
        timeout=openai.Timeout(settings.openai_timeout_seconds, connect=CONNECT_SECONDS),
        max_retries=0,
    )


def _provider(described: FallbackProvider, model: str, client: AsyncOpenAI, settings: QaSettings) -> Provider:
    breaker = new_breaker(f"{described.name} {model}", settings.llm_break_after)
    patience = settings.llm_longest_retry_after_seconds
    return Provider(described.name, model, client, breaker, settings.openai_stream, patience)
