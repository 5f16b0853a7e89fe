"""Who wants the weekly letter, in Mongo."""

from typing import Any

from bson import ObjectId
from pymongo import ASCENDING

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

#: All that `can_get_it` looks at.
_LOOKED_AT = dict.fromkeys(["mail", "emailVerifiedAt", "lockedAt"], True)


class SubscriberRepository:
    """Reads `accounts`; the preference in `mail` comes from user-service, see `AccountRepository.set_mail`."""

    def __init__(self, db: Database) -> None:
        self._accounts = db.accounts

    async def page(self, after: ObjectId | None, limit: int, session: Session) -> list[Document]:
        """The next accounts by id, after one, of those who want the letter: whether or not they can get it, since with
        more conditions the embedded Mongo engine would read all accounts."""
        where: dict[str, Any] = {"mail.weeklyReview": True}
        if after is not None:
            where["_id"] = {"$gt": after}
        found = self._accounts.find(where, _LOOKED_AT, session=session).sort([("_id", ASCENDING)]).limit(limit)
        return await found.to_list()

    async def remove(self, user: ObjectId, session: Session) -> bool:
        """Notes that this person wants the letter no more; False when it was so already."""
        wanting = {"_id": user, "mail.weeklyReview": True}
        changed = await self._accounts.update_one(wanting, {"$set": {"mail.weeklyReview": False}}, session=session)
        return changed.modified_count == 1


def can_get_it(account: Document) -> bool:
    """Whether its owner wants the letter, the address is theirs, and the account is not locked."""
    wants = account.get("mail", {}).get("weeklyReview", False)
    return bool(wants and account["emailVerifiedAt"] is not None and not account.get("lockedAt"))
