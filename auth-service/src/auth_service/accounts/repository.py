"""Accounts in Mongo."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

INDEXES = {
    "accounts": [
        IndexModel([("emailKey", ASCENDING)], unique=True),
        # Of who wants the weekly letter: few.
        IndexModel(
            [("mail.weeklyReview", ASCENDING), ("_id", ASCENDING)],
            partialFilterExpression={"mail.weeklyReview": True},
        ),
    ]
}


class AccountRepository:
    """`emailKey` is the normalised e-mail: unique whatever the case."""

    def __init__(self, db: Database) -> None:
        self._accounts = db.accounts

    async def insert(self, account: Document, session: Session) -> None:
        """Raises pymongo.errors.DuplicateKeyError when the e-mail is taken."""
        await self._accounts.insert_one(account, session=session)

    async def by_email_key(self, email_key: str) -> Document | None:
        """The account with this normalised e-mail."""
        return await self._accounts.find_one({"emailKey": email_key})

    async def by_id(self, account_id: ObjectId) -> Document | None:
        """One's own account."""
        return await self._accounts.find_one({"_id": account_id})

    async def set_password(self, account_id: ObjectId, password_hash: str, session: Session) -> None:
        """A new password also begins a new epoch of sessions: those opened with the old one end."""
        change = {"$set": {"passwordHash": password_hash, "updatedAt": utc_now()}, "$inc": {"sessionsEpoch": 1}}
        await self._accounts.update_one({"_id": account_id}, change, session=session)

    async def is_unconfirmed(self, account_id: ObjectId, session: Session) -> bool:
        """Whether nobody has shown yet that the account's address is theirs."""
        unconfirmed = {"_id": account_id, "emailVerifiedAt": None}
        return await self._accounts.find_one(unconfirmed, {"_id": True}, session=session) is not None

    async def confirm_email(self, account_id: ObjectId, email: str, session: Session) -> bool:
        """Notes that its owner has just shown that the address is theirs; False when it is not the account's."""
        now = utc_now()
        change = {"$set": {"emailVerifiedAt": now, "updatedAt": now}}
        changed = await self._accounts.update_one({"_id": account_id, "email": email}, change, session=session)
        return changed.matched_count == 1

    async def set_email(self, account_id: ObjectId, old: str, email: str, email_key: str, session: Session) -> bool:
        """Another, confirmed address; False when the old one is not the account's any more. Raises
        pymongo.errors.DuplicateKeyError when it is taken."""
        now = utc_now()
        new = {"email": email, "emailKey": email_key, "emailVerifiedAt": now, "updatedAt": now}
        changed = await self._accounts.update_one({"_id": account_id, "email": old}, {"$set": new}, session=session)
        return changed.matched_count == 1

    async def replace_hash(self, account_id: ObjectId, old: str, new: str) -> None:
        """The same password, hashed anew; a no-op when it was changed meanwhile."""
        await self._accounts.update_one({"_id": account_id, "passwordHash": old}, {"$set": {"passwordHash": new}})

    async def new_epoch(self, account_id: ObjectId) -> int:
        """Begins a new epoch of sessions and answers it; 0 when there is no such account."""
        await self._accounts.update_one({"_id": account_id}, {"$inc": {"sessionsEpoch": 1}})
        found = await self._accounts.find_one({"_id": account_id}, {"sessionsEpoch": True})
        return int(found["sessionsEpoch"]) if found else 0

    async def set_mail(self, account_id: ObjectId, mail: Document, sequence: int, session: Session) -> None:
        """Which letters its owner wants, by the event of that number; a no-op after a later one."""
        earlier = {"_id": account_id, "mail.sequence": {"$not": {"$gte": sequence}}}
        await self._accounts.update_one(earlier, {"$set": {"mail": {**mail, "sequence": sequence}}}, session=session)

    async def set_devices(self, account_id: ObjectId, devices: list[Document], session: Session) -> None:
        """The devices that its owner logs in from, see `KnownDevices`."""
        await self._accounts.update_one({"_id": account_id}, {"$set": {"devices": devices}}, session=session)
