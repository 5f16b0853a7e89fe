"""The one door to the language model: every call is journalled under its job, and so is made and paid for once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bson import ObjectId

from intervai_shared.mongo import Database
from qa_service.llm.prompt import Prompt
from qa_service.llm.provider import Provider, open_provider
from qa_service.llm.replies import InvalidReplyError, Reply
from qa_service.llm.repository import CallJournal
from qa_service.settings import QaSettings

#: Gets the content that has come so far, each time that more has come.
OnText = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Caller:
    """For whom, and in which job, the model is asked."""

    user: ObjectId
    job: ObjectId


class LanguageModel:
    """Asks the providers of the settings, the first that can answer."""

    def __init__(self, provider: Provider, journal: CallJournal) -> None:
        self._provider = provider
        self._journal = journal

    async def kept(self, caller: Caller, step: str) -> Reply | None:
        """The reply to a step of the job that has been asked before, without asking."""
        return await self._journal.get(caller.user, caller.job, step)

    async def ask(
        self,
        caller: Caller,
        step: str,
        prompt: Prompt,
        check: Callable[[str], object],
        on_text: OnText | None = None,
    ) -> Reply:
        """The reply to a step of a job: the journalled one, else a new one, which is journalled before it is given.

        `step` names the call within its job, the same in every attempt. `check` gets the whole content and raises
        ValueError (as pydantic's ValidationError is) when it does not fit the schema: such a reply is charged, but not
        kept, so that another attempt asks again. It is not called for a reply that is `cut`. With `on_text` the reply
        is streamed.

        Raises:
            PermanentError: the key or the request is refused, the model declines, or the budget is used up.
            ModelUnavailableError: no provider can answer now.
            InvalidReplyError: the reply does not fit.
            BrokenReplyError: the stream broke after `on_text` had been called.
            openai.OpenAIError: it did not work for now.
        """
        if kept := await self._journal.get(caller.user, caller.job, step):
            return kept
        reply = await self._provider.ask(prompt)
        if on_text is not None:
            await on_text(reply.content)
        if not reply.cut:
            try:
                check(reply.content)
            except ValueError as error:
                raise InvalidReplyError from error
        await self._journal.put(caller.user, caller.job, step, prompt, reply)
        return reply


@asynccontextmanager
async def open_model(settings: QaSettings, db: Database) -> AsyncIterator[LanguageModel]:
    """The providers' clients, for the life of a process."""
    async with open_provider(settings) as provider:
        yield LanguageModel(provider, CallJournal(db))
