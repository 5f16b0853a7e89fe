"""Providers that cannot answer, and those that are asked instead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import openai
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from intervai_shared.jobs import PermanentError
from intervai_shared.models import Document
from qa_service.llm.chain import open_chain
from qa_service.llm.listening import Listener
from qa_service.llm.options import FallbackProvider
from qa_service.llm.prompt import Prompt, strict_object
from qa_service.llm.replies import ModelUnavailableError
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
Calls = Callable[[], Awaitable[list[Document]]]


class Provider(Protocol):
    requests: list[Document]
    will: Callable[..., None]
    saying: Callable[..., Any]
    failing: Callable[..., Any]
    serve: Any


@pytest.fixture
async def second(provider: Provider) -> AsyncIterator[Provider]:
    """Another provider, with the same key."""
    made: Any = type(provider)()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield made


@pytest.fixture
def both(settings: QaSettings, second: Any) -> QaSettings:
    """Settings in which the second provider stands in for the first."""
    stand_in = FallbackProvider(
        name="second", api_key=settings.openai_api_key, base_url=second.url, model="spare", model_high="spare-high"
    )
    return settings.model_copy(update={"llm_fallbacks": [stand_in], "openai_model_high": "better"})


FAULTS = {
    "a bad key": (401, {}, 1),
    "a model that it does not have": (404, {}, 1),
    "a request that it does not understand": (400, {}, 1),
    "to be told to wait for long": (429, {"Retry_After": "3600"}, 1),
    "failure again and again": (503, {"Retry_After_Ms": "1"}, 3),
}


@pytest.mark.parametrize(("status", "headers", "tries"), FAULTS.values(), ids=FAULTS)
async def test_the_next_provider_is_asked_after(
    status: int, headers: dict[str, str], tries: int, provider: Provider, second: Provider, both: QaSettings, ask: Call
) -> None:
    provider.will(*[provider.failing(status, **headers)] * 3)
    second.will(second.saying("from the second"))
    assert (await ask(settings=both)).content == "from the second"
    assert len(provider.requests) == tries
    assert [request["model"] for request in second.requests] == ["spare"]


async def test_the_better_models_are_asked_for_high_quality(
    provider: Provider, second: Provider, both: QaSettings, ask: Call
) -> None:
    provider.will(provider.failing(401))
    await ask(settings=both, quality="high")
    await ask("1", settings=both)
    assert [request["model"] for request in provider.requests] == ["better", "gpt-4o-mini"]
    assert [request["model"] for request in second.requests] == ["spare-high"]


async def test_one_model_serves_both_qualities_when_no_better_one_is_set(
    provider: Provider, settings: QaSettings, ask: Call
) -> None:
    await ask(settings=settings, quality="high")
    assert [request["model"] for request in provider.requests] == ["gpt-4o-mini"]


async def test_a_long_wait_that_nobody_else_can_shorten_is_an_outage_at_once(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    provider.will(provider.failing(429, Retry_After="3600"))
    with pytest.raises(ModelUnavailableError, match="429"):  # and not that it was waited for in vain
        await ask()
    assert len(provider.requests) == 1
    assert [entry["state"] for entry in await calls()] == ["failed"]


async def test_an_account_without_money_is_not_asked_again_and_again(provider: Provider, ask: Call) -> None:
    answer = provider.failing(429)
    answer.body["error"]["code"] = "insufficient_quota"
    provider.will(answer)
    with pytest.raises(PermanentError):
        await ask()
    assert len(provider.requests) == 1


async def test_refused_content_is_taken_to_nobody_else(
    provider: Provider, second: Provider, both: QaSettings, ask: Call
) -> None:
    answer = provider.failing(400)
    answer.body["error"]["code"] = "content_policy_violation"
    provider.will(answer, provider.saying(None, refusal="No."))
    for step in ("0", "1"):
        with pytest.raises(PermanentError, match="declined"):
            await ask(step, settings=both)
    assert second.requests == []


async def test_a_job_waits_for_a_busy_provider_although_the_other_refuses_the_key(
    provider: Provider, second: Provider, both: QaSettings, ask: Call
) -> None:
    provider.will(*[provider.failing(503, Retry_After_Ms="1")] * 3)
    second.will(second.failing(401))
    with pytest.raises(ModelUnavailableError):
        await ask(settings=both)


async def test_a_provider_that_fails_again_and_again_is_left_alone_for_a_while(
    provider: Provider, settings: QaSettings
) -> None:
    broken = settings.model_copy(update={"llm_break_after": 2})
    provider.will(*[provider.failing(500, Retry_After_Ms="1")] * 2)
    async with open_chain(broken) as opened:
        first = opened.first("standard")
        prompt, listener = Prompt("p", "p-1", "Be short.", {"count": 1}, strict_object()), Listener(None)
        with pytest.raises(openai.InternalServerError):
            await opened.ask(prompt, listener)
        with pytest.raises(ModelUnavailableError):
            await opened.ask(prompt, listener)
        assert len(provider.requests) == 2
        assert REGISTRY.get_sample_value("intervai_llm_breaker_open", dict(first.labels)) == 1
        first.breaker.reset()
        await opened.ask(prompt, listener)
    assert len(provider.requests) == 3


async def test_to_be_told_to_wait_is_no_reason_to_leave_a_provider_alone(
    provider: Provider, settings: QaSettings, ask: Call
) -> None:
    provider.will(*[provider.failing(429, Retry_After_Ms="1")] * 2)
    await ask(settings=settings.model_copy(update={"llm_break_after": 1}))
    assert len(provider.requests) == 3


def test_the_keys_of_stand_ins_never_print(settings: QaSettings) -> None:
    told = {"name": "x", "apiKey": "sk-very-secret", "model": "m"}
    changed = settings.model_copy(update={"llm_fallbacks": [FallbackProvider.model_validate(told)]})
    assert "sk-very-secret" not in repr(changed)
    assert isinstance(changed.llm_fallbacks[0].api_key, SecretStr)
