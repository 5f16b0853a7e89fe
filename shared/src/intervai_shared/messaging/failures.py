"""What becomes of a message that its worker cannot do: it is kept as a dead letter before the queue lets go of it."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import dramatiq
from bson import ObjectId
from dramatiq.asyncio import async_to_sync
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Middleware, SkipMessage
from redis.exceptions import RedisError

from intervai_shared.logs import log
from intervai_shared.messaging.broker import namespace
from intervai_shared.messaging.dead_letters import FAILED, POISON, TOO_OLD, UNKNOWN
from intervai_shared.models import Document

#: Starts of a message with no end: so often it has taken its worker along.
MOST_STARTS = 3
#: Seconds for which starts are counted: far longer than it takes to notice that a worker is dead.
COUNT_SECONDS = 3600
#: Seconds between two tries to keep a dead letter while Mongo does not answer.
AGAIN_SECONDS = 1.0


class FailureMiddleware(Middleware):
    """Counts the starts of each message in Redis, where they outlive the worker; keeps what fails in Mongo.

    It comes before all other middleware: so it hears last what they have made of a message.
    """

    def __init__(self, service: str, keep: Callable[[Document], Awaitable[None]], records: Mapping[str, str]) -> None:
        """`keep` is `DeadLetters.keep`; `records` names, for an actor, the collection of its job records."""
        self._prefix = f"{namespace(service)}:starts"
        self._keep = async_to_sync(keep)
        self._records = records

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """Raises SkipMessage for a message that has been begun three times and never ended."""
        if self._starts(broker, message) > MOST_STARTS:
            message.fail()
            raise SkipMessage(POISON)

    def after_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy, **_: Any) -> None:
        """It has come to an end, good or bad."""
        self._forget(broker, message)

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """It has come to an end."""
        self._forget(broker, message)

    def before_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        """Goes on until the letter is kept. A worker that ends before leaves the message in its queue."""
        letter = _letter(message, self._records.get(message.actor_name))
        while True:
            try:
                return self._keep(letter)
            except Exception as error:
                log.warning("dead letter not kept, tries again", messageId=message.message_id, error=repr(error))
                time.sleep(AGAIN_SECONDS)

    def _starts(self, broker: Any, message: dramatiq.MessageProxy) -> int:
        key = f"{self._prefix}:{message.message_id}"
        try:
            with broker.client.pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, COUNT_SECONDS)
                return int(pipe.execute()[0])
        except RedisError as error:
            log.warning("start of a message not counted", messageId=message.message_id, error=repr(error))
            return 0

    def _forget(self, broker: Any, message: dramatiq.MessageProxy) -> None:
        try:
            broker.client.delete(f"{self._prefix}:{message.message_id}")
        except RedisError as error:
            log.warning("end of a message not noted", messageId=message.message_id, error=repr(error))


def _letter(message: Any, records: str | None) -> Document:
    error = message._exception  # noqa: SLF001  the proxy has no other door
    return {
        "_id": _object_id(message.message_id),
        "queue": message.queue_name,
        "actor": message.actor_name,
        "args": list(message.args),
        "reason": _reason(error),
        "error": repr(error),
        "traceback": message.options.get("traceback"),
        "retries": message.options.get("retries", 0),
        "trace": message.options.get("trace", {}),
        "sentAt": datetime.fromtimestamp(message.message_timestamp / 1000, UTC),
        "records": records,
    }


def _reason(error: BaseException | None) -> str:
    if isinstance(error, SkipMessage):
        return POISON if str(error) == POISON else TOO_OLD
    return UNKNOWN if isinstance(error, ActorNotFound) else FAILED


def _object_id(message_id: str) -> ObjectId:
    """A message from the outbox has the id of its entry there; for any other the same id each time."""
    if ObjectId.is_valid(message_id):
        return ObjectId(message_id)
    return ObjectId(hashlib.sha256(message_id.encode()).digest()[:12])
