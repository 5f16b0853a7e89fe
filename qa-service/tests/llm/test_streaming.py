"""Replies that come in pieces: who gets them when, and what is left of those that break off."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from intervai_shared.jobs import PermanentError
from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.llm.model import Caller, open_model
from qa_service.llm.prompt import Prompt, strict_object
from qa_service.llm.replies import BrokenReplyError, InvalidReplyError, ModelUnavailableError
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
Calls = Callable[[], Awaitable[list[Document]]]
TEXT = "".join(f"{number:04d}" for number in range(250))


class Provider(Protocol):
    requests: list[Document]
    will: Callable[..., None]
    saying: Callable[..., Any]
    failing: Callable[..., Any]


class Heard:
    """Keeps what `on_text` gets; `fails` is raised at the first call, `busy` is waited for at it."""

    def __init__(self, fails: Exception | None = None, busy: asyncio.Event | None = None) -> None:
        self.texts: list[str] = []
        self._fails = fails
        self._busy = busy

    async def __call__(self, text: str) -> None:
        self.texts.append(text)
        if self._fails:
            raise self._fails
        if self._busy:
            await self._busy.wait()


async def test_each_call_gets_all_that_has_come_and_the_reply_is_the_whole(provider: Provider, ask: Call) -> None:
    async def slowly(_: int) -> None:
        await asyncio.sleep(0.01)

    provider.will(replace(provider.saying(TEXT), before_piece=slowly))
    heard = Heard()
    reply = await ask(on_text=heard)
    assert (reply.content, reply.model, reply.input_tokens, reply.output_tokens) == (TEXT, "model-that-answered", 7, 5)
    assert provider.requests[0]["stream"] is True
    assert len(heard.texts) > 1
    assert sorted(heard.texts, key=len) == heard.texts
    assert len(set(heard.texts)) >= len(heard.texts) - 1  # what came last may be said once more at the end
    assert all(TEXT.startswith(text) for text in heard.texts)


async def test_a_piece_is_handed_over_before_the_next_one_is_sent(provider: Provider, ask: Call) -> None:
    heard, came = Heard(), asyncio.Event()

    async def on_text(text: str) -> None:
        await heard(text)
        came.set()

    async def not_before_it_is_heard(number: int) -> None:
        if number == 2:  # the role, one piece of text, then this
            await came.wait()

    provider.will(replace(provider.saying(TEXT), before_piece=not_before_it_is_heard))
    await asyncio.wait_for(ask(on_text=on_text), 20)
    assert heard.texts[0] == TEXT[:40]


async def test_while_one_is_busy_the_pieces_gather_and_the_stream_goes_on(provider: Provider, ask: Call) -> None:
    done = asyncio.Event()
    heard = Heard(busy=done)

    async def free_at_the_end(number: int) -> None:
        if number == 27:  # the role, 25 pieces, the end; then the usage
            done.set()

    provider.will(replace(provider.saying(TEXT), before_piece=free_at_the_end))
    assert (await asyncio.wait_for(ask(on_text=heard), 20)).content == TEXT
    assert len(heard.texts) <= 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_provider_that_does_not_stream_answers_all_the_same(
    stream: bool, provider: Provider, ask: Call, settings: QaSettings
) -> None:
    provider.will(replace(provider.saying(TEXT), is_plain=True))
    heard = Heard()
    reply = await ask(on_text=heard, settings=settings.model_copy(update={"openai_stream": stream}))
    assert reply.content == TEXT
    assert ("stream" in provider.requests[0]) is stream


async def test_what_a_broken_stream_has_brought_is_charged_and_told(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    heard = asyncio.Event()

    async def then_wait(number: int) -> None:
        if number == 6:
            await heard.wait()

    async def on_text(_: str) -> None:
        heard.set()

    provider.will(replace(provider.saying(TEXT), cut_after=6, before_piece=then_wait))
    with pytest.raises(BrokenReplyError) as broken:
        await ask(on_text=on_text)
    assert broken.value.content == TEXT[:200]
    [entry] = await calls()
    assert (entry["state"], entry["complete"], entry["content"]) == ("broken", False, TEXT[:200])
    assert entry["outputTokens"] == 50
    assert entry["costMicros"] > 0
    assert len(provider.requests) == 1


async def test_a_stream_that_breaks_before_anybody_has_heard_of_it_is_asked_for_again(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    provider.will(replace(provider.saying(TEXT), cut_after=1), provider.saying(TEXT))
    heard = Heard()
    assert (await ask(on_text=heard)).content == TEXT
    assert len(provider.requests) == 2
    assert [entry["state"] for entry in await calls()] == ["done"]


async def test_a_stream_that_falls_silent_is_broken(
    provider: Provider, ask: Call, calls: Calls, settings: QaSettings
) -> None:
    async def silent(number: int) -> None:
        await asyncio.sleep(2 if number == 3 else 0)

    provider.will(replace(provider.saying(TEXT), before_piece=silent))
    with pytest.raises(BrokenReplyError):
        await ask(on_text=Heard(), settings=settings.model_copy(update={"openai_timeout_seconds": 0.3}))
    assert [entry["state"] for entry in await calls()] == ["broken"]


async def test_white_space_without_end_is_not_listened_to(provider: Provider, ask: Call, calls: Calls) -> None:
    sent = 0

    async def slowly(number: int) -> None:
        nonlocal sent
        sent = number
        await asyncio.sleep(0.001)

    def check(content: str) -> None:
        raise ValueError(content)

    provider.will(replace(provider.saying("{" + " " * 40_000), before_piece=slowly))
    with pytest.raises(InvalidReplyError):
        await ask(on_text=Heard(), check=check)
    assert sent < 500
    assert [entry["state"] for entry in await calls()] == ["invalid"]


async def test_a_reply_that_exceeds_what_it_was_granted_is_not_listened_to(provider: Provider, ask: Call) -> None:
    sent = 0

    async def slowly(number: int) -> None:
        nonlocal sent
        sent = number
        await asyncio.sleep(0.001)

    provider.will(replace(provider.saying("x" * 40_000), before_piece=slowly))
    await ask(on_text=Heard(), max_output_tokens=100)
    assert provider.requests[0]["max_completion_tokens"] == 100
    assert sent < 500


async def test_a_streamed_refusal_fails_at_once_and_is_charged(provider: Provider, ask: Call, calls: Calls) -> None:
    provider.will(provider.saying(None, refusal="I cannot help with that."))
    with pytest.raises(PermanentError, match="declined"):
        await ask(on_text=Heard())
    [entry] = await calls()
    assert (entry["state"], entry["outputTokens"]) == ("declined", 5)


async def test_what_the_listener_raises_ends_the_call_and_is_raised_after_it_is_booked(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    async def slowly(_: int) -> None:
        await asyncio.sleep(0.02)

    provider.will(replace(provider.saying(TEXT), before_piece=slowly))
    with pytest.raises(LookupError, match="gone"):
        await ask(on_text=Heard(fails=LookupError("gone")))
    [entry] = await calls()
    assert entry["state"] == "broken"
    assert len(entry["content"]) < len(TEXT)
    assert len(provider.requests) == 1


async def test_a_whole_reply_is_kept_although_its_listener_fails(provider: Provider, ask: Call, calls: Calls) -> None:
    done = asyncio.Event()

    async def on_text(_: str) -> None:
        await done.wait()
        raise LookupError("gone")

    async def ended(number: int) -> None:
        if number == 28:  # [DONE]
            done.set()

    provider.will(replace(provider.saying(TEXT), before_piece=ended))
    with pytest.raises(LookupError, match="gone"):
        await ask(on_text=on_text)
    assert (await ask()).content == TEXT
    assert len(provider.requests) == 1
    assert [entry["state"] for entry in await calls()] == ["done"]


async def test_a_call_that_is_cancelled_is_charged_with_what_has_come(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    heard = asyncio.Event()

    async def then_wait(number: int) -> None:
        await asyncio.sleep(2 if number == 5 else 0)

    async def on_text(_: str) -> None:
        heard.set()
        await asyncio.sleep(60)

    provider.will(replace(provider.saying(TEXT), before_piece=then_wait))
    asking = asyncio.create_task(ask(on_text=on_text))
    await heard.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    [entry] = await calls()
    assert entry["state"] == "broken"
    assert entry["content"]
    assert TEXT.startswith(entry["content"])


async def test_what_a_killed_process_had_noted_is_charged_by_the_next_attempt(
    provider: Provider, ask: Call, calls: Calls, container: QaContainer, caller: Caller, settings: QaSettings
) -> None:
    """The process dies without a chance to settle: here, by closing its eyes to the cancellation."""
    prompt = Prompt("p", "p-1", "Be short.", {"count": 1}, strict_object())
    mongo, asked = container.resources.mongo, asyncio.Event()

    async def hangs(_: Document) -> Any:
        asked.set()
        await asyncio.sleep(5)
        return provider.saying(TEXT)

    async with open_model(settings, mongo) as model:
        provider.will(hangs)
        dying = asyncio.create_task(model.ask(caller, "0", prompt, str))
        await asked.wait()
        await mongo.transaction(lambda session: model.note_partial(caller, "0", "x" * 400, session))
        assert [entry["state"] for entry in await mongo.db.llm_calls.find({}).to_list()] == ["asked"]
        reply = await ask("the rest")
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
    left, rest = await calls()
    assert (left["state"], left["outputTokens"], left["content"]) == ("broken", 100, "x" * 400)
    assert (rest["state"], rest["content"]) == ("done", reply.content)


async def test_a_silent_provider_leaves_an_entry_that_cost_nothing(provider: Provider, ask: Call, calls: Calls) -> None:
    provider.will(*[provider.failing(503, Retry_After_Ms="1")] * 3)
    with pytest.raises(ModelUnavailableError):
        await ask(on_text=Heard())
    [entry] = await calls()
    assert (entry["state"], entry["costMicros"]) == ("failed", 0)
    await ask(on_text=Heard())
    assert [entry["state"] for entry in await calls()] == ["done"]
