"""The audit log: append-only. No password, code or token is ever among the details."""

from typing import Any

from bson import ObjectId

from auth_service.audit.repository import AuditRepository
from auth_service.audit.schemas import NEWEST_FIRST
from auth_service.caller import Caller
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session


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

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the entries about a person's account. Raises InvalidError when the cursor is none."""
        found = await self._repository.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)
