"""The answers of the audit routes."""

from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from pydantic import Field

from intervai_shared.http.paging import ListOrder
from intervai_shared.models import Id, UtcTime, WireModel

NEWEST_FIRST = ListOrder({"at": datetime, "_id": ObjectId})


class AuditEntry(WireModel):
    """One happening. `by`: who did it, when it was somebody else than the owner."""

    id: Id = Field(validation_alias="_id")
    event: str = Field(examples=["login"])
    result: Literal["success", "failure"]
    at: UtcTime
    address: str = Field(examples=["203.0.113.7"])
    user_agent: str
    by: Id | None = None
    details: dict[str, Any] = {}
