"""Requests and answers of the admin routes, and the order of the list."""

from datetime import datetime
from typing import Annotated

from bson import ObjectId
from pydantic import Field, StringConstraints

from auth_service.accounts.schemas import Account
from auth_service.audit.schemas import AuditEntry
from intervai_shared.http.paging import ListOrder
from intervai_shared.models import Id, InputModel, Text, UtcTime

NEWEST_FIRST = ListOrder({"createdAt": datetime, "_id": ObjectId})


class Lock(InputModel):
    """Why an account is locked. Its owner can read it in their audit log once it is unlocked."""

    reason: Annotated[Text, StringConstraints(min_length=1, max_length=500)] = Field(
        examples=["Reported as taken over"]
    )


class AdminAccount(Account):
    """An account as administrators see it: nothing of it lets anybody in."""

    locked_at: UtcTime | None = None
    locked_by: Id | None = None
    lock_reason: str | None = None


class AdminAccountDetails(AdminAccount):
    """With what goes on there: how many log-in sessions are open, and the last entries of its audit log."""

    open_sessions: int
    audit: list[AuditEntry]
