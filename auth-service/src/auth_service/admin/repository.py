"""Accounts in Mongo as administrators look at them and change them."""

from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from auth_service.accounts import repository as accounts
from auth_service.admin.schemas import NEWEST_FIRST
from intervai_shared.http.paging import Position
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

#: Of the collection, so with those of its own room. Few are locked, few are administrators: an index each.
INDEXES = {
    "accounts": [
        *accounts.INDEXES["accounts"],
        IndexModel(NEWEST_FIRST.sort),
        IndexModel([("roles", ASCENDING), *NEWEST_FIRST.sort]),
        IndexModel([("lockedAt", ASCENDING)], sparse=True),
    ]
}
#: What is read of an account: no hash, no sealed secret.
_SHOWN = dict.fromkeys(
    ["email", "emailVerifiedAt", "roles", "createdAt", "updatedAt", "lockedAt", "lockedBy", "lockReason"], True
)


class AdminRepository:
    """A locked account has `lockedAt`, `lockedBy` (an administrator) and `lockReason`; another has none of them."""

    def __init__(self, db: Database) -> None:
        self._accounts = db.accounts

    async def page(
        self, limit: int, after: Position | None, *, status: str | None, role: str | None, email_start: str | None
    ) -> list[Document]:
        """The newest accounts after a position. `email_start` is normalised like `emailKey`: a range of its index, and
        no pattern, so that nothing in it has a meaning."""
        where: dict[str, Any] = {}
        if status is not None:
            where["lockedAt"] = {"$exists": status == "locked"}
        if role is not None:
            where["roles"] = role
        if email_start is not None:
            where["emailKey"] = {"$gte": email_start, "$lt": email_start + "\U0010ffff"}
        return await NEWEST_FIRST.find(self._accounts, where, limit, after)

    async def by_id(self, account_id: ObjectId, session: Session | None = None) -> Document | None:
        """Anybody's account."""
        return await self._accounts.find_one({"_id": account_id}, _SHOWN, session=session)

    async def lock(self, account_id: ObjectId, reason: str, by: ObjectId, session: Session) -> bool:
        """False when it is locked, or is not there."""
        now = utc_now()
        locked = {"lockedAt": now, "lockedBy": by, "lockReason": reason, "updatedAt": now}
        open_one = {"_id": account_id, "lockedAt": {"$exists": False}}
        return (await self._accounts.update_one(open_one, {"$set": locked}, session=session)).modified_count == 1

    async def unlock(self, account_id: ObjectId, session: Session) -> bool:
        """False when it is not locked, or is not there."""
        change = {
            "$unset": {"lockedAt": "", "lockedBy": "", "lockReason": ""},
            "$set": {"updatedAt": utc_now()},
        }
        locked = {"_id": account_id, "lockedAt": {"$exists": True}}
        return (await self._accounts.update_one(locked, change, session=session)).modified_count == 1

    async def set_role(self, account_id: ObjectId, role: str, *, has: bool, session: Session) -> bool:
        """Gives or takes a role; False when nothing changed."""
        as_it_was: Document = {"_id": account_id, "roles": {"$ne": role} if has else role}
        change = {"$addToSet" if has else "$pull": {"roles": role}, "$set": {"updatedAt": utc_now()}}
        return (await self._accounts.update_one(as_it_was, change, session=session)).modified_count == 1
