"""The audit log: append-only. No password, code or token is ever among the details."""

from typing import Any

import pymongo
from bson import ObjectId
from prometheus_client import Counter

from auth_service.audit.repository import AuditRepository
from auth_service.audit.schemas import NEWEST_FIRST
from auth_service.caller import Caller
from intervai_shared.errors import UNAVAILABLE
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session

#: Seconds that `note` waits for Mongo.
NOTE_SECONDS = 1.0
LOST = Counter("intervai_audit_lost_total", "Happenings that are not in the audit log since Mongo was away", ["event"])


class AuditLog:
    """Notes what happens to accounts."""

    def __init__(self, repository: AuditRepository) -> None:
        self._repository = repository

    async def record(
        self,
        event: str,
        caller: Caller,
        user: ObjectId | None,
        *,
        succeeded: bool = True,
        by: ObjectId | None = None,
        session: Session | None = None,
        **details: Any,
    ) -> None:
        """Notes a happening like `login` or `password.changed` about the account `user` (None: about no account, as a
        log-in with an unknown e-mail). `by`: who did it, when not the owner. With `session` it is part of that
        transaction. `details` are JSON values, in camelCase."""
        entry: Document = {
            "_id": ObjectId(),
            "user": user,
            "event": event,
            "result": "success" if succeeded else "failure",
            "at": utc_now(),
            "address": caller.address,
            "userAgent": caller.user_agent,
            "by": by,
            "details": details,
        }
        await self._repository.insert(entry, session)

    async def note(self, event: str, caller: Caller, user: ObjectId, *, succeeded: bool = True) -> None:
        """As `record`, of what must take place even while Mongo is away: then the process's own log tells of it."""
        try:
            with pymongo.timeout(NOTE_SECONDS):
                await self.record(event, caller, user, succeeded=succeeded)
        except UNAVAILABLE as error:
            LOST.labels(event).inc()
            log.warning("not in the audit log", happened=event, userId=str(user), error=repr(error))

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the entries about a person's account. Raises InvalidError when the cursor is none."""
        found = await self._repository.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)
