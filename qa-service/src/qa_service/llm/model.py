"""The one door to the language model: every call is journalled under its job, and so is made and paid for once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bson import ObjectId
from pymongo.errors import PyMongoError

from intervai_shared.jobs import PermanentError
from intervai_shared.logs import log
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session
from qa_service.llm import faults
from qa_service.llm.chain import Chain, open_chain
from qa_service.llm.ledger import Ledger, OpenCall
from qa_service.llm.listening import Listener, OnText, StoppedError
from qa_service.llm.prices import PriceTable, tokens_of
from qa_service.llm.prompt import Prompt
from qa_service.llm.replies import BrokenReplyError, InvalidReplyError, Reply
from qa_service.settings import QaSettings

Check = Callable[[str], object]


@dataclass(frozen=True)
class Caller:
    """For whom, and in which job, the model is asked."""

    user: ObjectId
    job: ObjectId


class LanguageModel:
    """Asks the providers of the settings, the first that can answer."""

    def __init__(self, chain: Chain, ledger: Ledger) -> None:
        self._chain = chain
        self._ledger = ledger
        self._journal = ledger.journal
        #: The calls that this process is making, by job and step.
        self._open: dict[tuple[ObjectId, str], tuple[str, Listener]] = {}

    async def kept(self, caller: Caller, step: str) -> Reply | None:
        """The reply to a step of the job that has been asked before, without asking."""
        entries = await self._journal.of_step(caller.user, caller.job, step)
        return next((_reply(entry) for entry in entries if entry["step"] == step and entry["state"] == "done"), None)

    async def ask(
        self,
        caller: Caller,
        step: str,
        prompt: Prompt,
        check: Check,
        on_text: OnText | None = None,
        *,
        takes_cut: bool = False,
    ) -> Reply:
        """The reply to a step of a job: the journalled one, else a new one, which is journalled before it is given.

        `step` names the call within its job, the same in every attempt. `check` gets the whole content and raises
        ValueError (as pydantic's ValidationError is) when it does not fit the schema: such a reply is charged, but not
        kept, so that another attempt asks again. A reply that is `cut` is not checked: it fits whoever `takes_cut`.

        With `on_text` the reply is streamed, and `on_text` gets all that has come so far, one call at a time. It is not
        called for a journalled reply, nor for the end of a reply: the whole of it is what is returned. What it raises,
        is raised here, after what came has been booked.

        Raises:
            PermanentError: the key or the request is refused, or the model declines.
            ModelUnavailableError: no provider can answer now.
            InvalidReplyError: the reply does not fit.
            BrokenReplyError: the stream broke after `on_text` had been called.
            StreamError, openai.OpenAIError: it did not work for now.
        """

        def accept(reply: Reply) -> None:
            if not reply.cut:
                check(reply.content)
            elif not takes_cut:
                raise ValueError("it was cut off by the token limit")

        entries = await self._journal.of_step(caller.user, caller.job, step)
        for left in entries:
            if left["state"] == "asked" and left["_id"] not in {call for call, _ in self._open.values()}:
                await self._ledger.settle_left(left)
        of_step = [entry for entry in entries if entry["step"] == step]
        for entry in of_step:
            if entry["state"] == "done" and await self._fits(caller, entry["_id"], _reply(entry), accept):
                return _reply(entry)
        call = await self._begin(caller, step, prompt, of_step)
        reply = await self._call(caller, step, call, prompt, Listener(on_text))
        if not await self._fits(caller, call.id, reply, accept):
            raise InvalidReplyError
        return reply

    async def note_partial(self, caller: Caller, step: str, content: str, session: Session) -> None:
        """Notes, in the transaction that stores what was made of it, how much of a reply has come: what a process that
        is killed now has got for its money. Nothing happens when the step is not being asked."""
        found = self._open.get((caller.job, step))
        if found and not found[1].has_ended:
            await self._journal.note(caller.user, found[0], content, session)

    def answering(self, caller: Caller, step: str) -> str | None:
        """The model that is answering a step now, as it names itself."""
        found = self._open.get((caller.job, step))
        return (found[1].received.model or None) if found else None

    async def settle_forgotten(self) -> None:
        """See `Ledger.settle_forgotten`."""
        await self._ledger.settle_forgotten()

    async def _fits(self, caller: Caller, call: str, reply: Reply, accept: Callable[[Reply], object]) -> bool:
        try:
            accept(reply)
        except ValueError:
            await self._journal.mark(caller.user, call, "done", "invalid")
            return False
        return True

    async def _begin(self, caller: Caller, step: str, prompt: Prompt, earlier: list[Document]) -> OpenCall:
        asked = self._chain.first(prompt.quality).model
        tokens = sum(tokens_of(message["content"]) for message in prompt.messages())
        last = earlier[-1] if earlier else None
        if last and last["state"] == "failed" and await self._journal.again(caller.user, last["_id"]):
            return OpenCall(last["_id"], caller.user, tokens, asked)
        number = last["try"] + 1 if last else 0
        name = f"{caller.job}:{step}:{number}" if number else f"{caller.job}:{step}"
        entry = {
            "_id": name,
            "job": caller.job,
            "step": step,
            "try": number,
            "prompt": prompt.name,
            "promptVersion": prompt.version,
            "quality": prompt.quality,
            "askedModel": asked,
            "inputEstimate": tokens,
            "costMicros": 0,
        }
        await self._journal.begin(caller.user, entry)
        return OpenCall(name, caller.user, tokens, asked)

    async def _call(self, caller: Caller, step: str, call: OpenCall, prompt: Prompt, listener: Listener) -> Reply:
        self._open[caller.job, step] = (call.id, listener)
        try:
            await self._listen(call, prompt, listener)
            return await self._settle(call, listener)
        finally:
            self._open.pop((caller.job, step), None)

    async def _listen(self, call: OpenCall, prompt: Prompt, listener: Listener) -> None:
        """Until somebody has answered. What went wrong is booked before it is raised."""
        try:
            await self._chain.ask(prompt, listener)
            await listener.end()
        except asyncio.CancelledError:
            listener.forget()
            await asyncio.shield(self._give_up(call, listener))
            raise
        except Exception as error:
            booked = await self._booked(call, listener, error)
            if booked is error:
                raise
            raise booked from error

    async def _booked(self, call: OpenCall, listener: Listener, error: Exception) -> Exception:
        """What to raise of an error, after what came has been booked."""
        if not listener.has_told:
            await self._journal.mark(call.user, call.id, "asked", "failed")
            return error
        try:
            await listener.end()
        except StoppedError as stopped:
            error = stopped
        # Whole replies are kept, also if whoever listened failed: another attempt need not pay for it again.
        is_whole = isinstance(error, StoppedError) and listener.received.finish == "stop"
        reply = await self._ledger.settle(call, "done" if is_whole else "broken", listener.received, listener.provider)
        if isinstance(error, StoppedError) and isinstance(error.__cause__, Exception):
            return error.__cause__
        return BrokenReplyError(reply.content)

    async def _give_up(self, call: OpenCall, listener: Listener) -> None:
        """Whoever asked is gone; the provider may have gone on writing."""
        try:
            await self._ledger.settle(call, "broken", listener.received, listener.provider)
        except PyMongoError as error:  # the next attempt of the job settles it
            log.warning("call not settled", call=call.id, error=repr(error))

    async def _settle(self, call: OpenCall, listener: Listener) -> Reply:
        """Also what cannot be used has been paid for."""
        received = listener.received
        declines = received.refusal or received.finish == "content_filter"
        reply = await self._ledger.settle(call, "declined" if declines else "done", received, listener.provider)
        if declines:
            raise PermanentError(faults.DECLINED)
        return reply


def _reply(entry: Document) -> Reply:
    tokens = (entry["inputTokens"], entry["outputTokens"])
    return Reply(entry["content"], entry["model"], *tokens, entry["cut"], entry["costMicros"])


@asynccontextmanager
async def open_model(settings: QaSettings, mongo: Mongo) -> AsyncIterator[LanguageModel]:
    """The providers' clients, for the life of a process."""
    async with open_chain(settings) as chain:
        yield LanguageModel(chain, Ledger(mongo, PriceTable.of(settings)))
