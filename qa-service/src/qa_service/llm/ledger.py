"""Settling calls: what came of one, and what it cost, are written in one transaction, once."""

from dataclasses import dataclass
from datetime import timedelta

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo, Session
from qa_service.llm import metrics
from qa_service.llm.prices import PriceTable, tokens_of
from qa_service.llm.received import Received
from qa_service.llm.replies import Reply
from qa_service.llm.repository import CallJournal, HourRepository, SpendRepository

#: Longer than any call and the attempts that could go on with it take.
FORGOTTEN_AFTER = timedelta(hours=1)
FORGOTTEN_AT_A_TIME = 500


@dataclass(frozen=True)
class OpenCall:
    """A call whose entry is `asked`. `input_tokens`: an estimate, for when the provider does not tell."""

    id: str
    user: ObjectId
    input_tokens: int
    asked_model: str


class Ledger:
    """The journal and the sums of one database."""

    def __init__(self, mongo: Mongo, prices: PriceTable) -> None:
        self._mongo = mongo
        self.journal = CallJournal(mongo.db)
        self._spend = SpendRepository(mongo.db)
        self._hours = HourRepository(mongo.db)
        self.prices = prices

    async def settle(self, call: OpenCall, state: str, received: Received, provider: str = "") -> Reply:
        """Books a call by what came of it; one that is settled already stays as it is, and costs nothing more."""
        reply = self._reply(call, received)
        fields = {
            "state": state,
            "content": reply.content,
            "model": reply.model,
            "provider": provider or None,
            "inputTokens": reply.input_tokens,
            "outputTokens": reply.output_tokens,
            "cut": reply.cut,
            "complete": state != "broken",
            "costMicros": reply.cost_micros,
        }
        if await self._book(call, fields, reply) and provider:
            _count(provider, reply)
        return reply

    async def settle_forgotten(self) -> None:
        """Books what was asked for jobs that nobody will try again, as after a cancellation while their process was
        being killed. Doing it twice does no harm: a call is settled once."""
        for entry in await self.journal.forgotten(utc_now() - FORGOTTEN_AFTER, FORGOTTEN_AT_A_TIME):
            await self.settle_left(entry)

    async def settle_left(self, entry: Document) -> None:
        """Books a call that a killed process has left, by what had been noted of its reply: it was made, or may have
        been."""
        call = OpenCall(entry["_id"], entry["user"], entry["inputEstimate"], entry["askedModel"])
        await self.settle(call, "broken", Received.of(entry.get("content", "")))

    async def _book(self, call: OpenCall, fields: Document, reply: Reply) -> bool:
        amounts: Document = {
            "calls": 1,
            "inputTokens": reply.input_tokens,
            "outputTokens": reply.output_tokens,
            "costMicros": reply.cost_micros,
        }

        async def book(transaction: Session) -> bool:
            if not await self.journal.settle(call.user, call.id, fields, transaction):
                return False
            await self._spend.add(call.user, amounts, transaction)
            await self._hours.add(shard, amounts, transaction)
            return True

        with self._hours.shard() as shard:
            return await self._mongo.transaction(book)

    def _reply(self, call: OpenCall, received: Received) -> Reply:
        content = received.content
        tokens = received.usage or (call.input_tokens, tokens_of(content))
        model = received.model or call.asked_model
        cost = self.prices.cost_micros(*tokens, model, call.asked_model)
        return Reply(content, model, *tokens, received.finish == "length", cost)


def _count(provider: str, reply: Reply) -> None:
    labels = {"provider": provider, "model": reply.model}
    metrics.TOKENS.labels(**labels, direction="input").inc(reply.input_tokens)
    metrics.TOKENS.labels(**labels, direction="output").inc(reply.output_tokens)
    metrics.COST.labels(**labels).inc(reply.cost_micros)
