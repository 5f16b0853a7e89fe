"""Idempotency keys: a POST that is sent again has its effect once, and gets the first answer.

A key's record is made before its request is handled. The request's transaction writes its result into the record, so
both are committed or neither is; the answer is kept at the end. When a process dies between the two, the request that
comes again is handled with that result: its transaction does not run a second time. The key is scoped to a person and a
path (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from intervai_shared.errors import ConflictError, InvalidError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Collection, Session

#: Seconds for which an answer is kept.
KEEP_SECONDS = 24 * 3600
#: Seconds after which the handling of a request counts as dead. No request lives so long: the gateway gives up before.
LEASE_SECONDS = 60.0
INDEXES = {
    "idempotency_keys": [
        IndexModel([("createdAt", ASCENDING)], expireAfterSeconds=KEEP_SECONDS),
        IndexModel([("user", ASCENDING)]),  # for the erasure of a person
    ]
}
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An answer as it went out first."""

    status: int
    media_type: str
    body: bytes


@dataclass
class Execution:
    """The one handling of a key's request. `lease` is the fencing token: who lost it commits nothing more."""

    id: str
    lease: ObjectId
    results: dict[str, Any]
    collection: Collection
    _transactions: int = field(default=0, init=False)

    def once(self, body: Callable[[Session], Awaitable[T]]) -> Callable[[Session], Awaitable[T]]:
        """A transaction's body that is done once for the key; its result must be storable in Mongo."""
        number = str(self._transactions)
        self._transactions += 1

        async def effect(session: Session) -> T:
            if number in self.results:
                known: T = self.results[number]["value"]
                return known
            result = await body(session)
            change = {"$set": {f"results.{number}": {"value": result}}}
            held = await self.collection.update_one({"_id": self.id, "lease": self.lease}, change, session=session)
            if held.matched_count == 0:
                raise _in_flight()
            return result

        return effect

    async def keep(self, answer: Answer) -> None:
        """Keeps the answer for those who send the request again."""
        kept = {"status": answer.status, "mediaType": answer.media_type, "body": answer.body}
        change = {"$set": {"answer": kept}, "$unset": {"results": ""}}
        await self.collection.update_one({"_id": self.id, "lease": self.lease}, change)

    async def release(self) -> None:
        """Lets the request be handled again: it failed for now. What it has committed stays in the record."""
        mine = {"_id": self.id, "lease": self.lease}
        forgotten = await self.collection.delete_one({**mine, "results": {}})
        if forgotten.deleted_count == 0:
            await self.collection.update_one(mine, {"$set": {"leaseUntil": utc_now()}})


class IdempotencyKeys:
    """The keys of one service, in its database."""

    def __init__(self, collection: Collection) -> None:
        self._keys = collection

    async def begin(self, key_id: str, user: ObjectId, body_hash: str) -> Execution | Answer:
        """The right to handle the request, or the answer that it got.

        Raises:
            ConflictError: it is being handled now; with Retry-After.
            InvalidError: the key was used for another request.
        """
        now, lease = utc_now(), ObjectId()
        held = {"lease": lease, "leaseUntil": now + timedelta(seconds=LEASE_SECONDS)}
        record = {"_id": key_id, "user": user, "bodyHash": body_hash, **held, "results": {}, "createdAt": now}
        try:
            await self._keys.insert_one(record)
        except DuplicateKeyError:
            return await self._again(key_id, body_hash, held)
        return Execution(key_id, lease, {}, self._keys)

    async def _again(self, key_id: str, body_hash: str, held: Document) -> Execution | Answer:
        known = await self._keys.find_one({"_id": key_id})
        if known is None:  # released or expired this moment
            raise _in_flight()
        if known["bodyHash"] != body_hash:
            message = "was used for a request with another body; take a new key"
            raise InvalidError([{"field": "header.Idempotency-Key", "message": message}])
        if "answer" not in known:
            known = await self._take_over(known, held)
        if kept := known.get("answer"):
            return Answer(kept["status"], kept["mediaType"], bytes(kept["body"]))
        return Execution(key_id, held["lease"], known["results"], self._keys)

    async def _take_over(self, known: Document, held: Document) -> Document:
        """The record of a request whose handling died, as it is once nobody else can commit to it."""
        if known["leaseUntil"] > utc_now():
            raise _in_flight()
        taken = await self._keys.update_one({"_id": known["_id"], "lease": known["lease"]}, {"$set": held})
        latest = await self._keys.find_one({"_id": known["_id"]}) if taken.modified_count else None
        if latest is None:
            raise _in_flight()
        return latest


def _in_flight() -> ConflictError:
    return ConflictError("A request with this idempotency key is being handled.", headers={"Retry-After": "1"})
