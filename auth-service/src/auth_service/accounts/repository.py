"""Accounts in Mongo."""

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Database, Session

INDEXES = {"accounts": [IndexModel([("emailKey", ASCENDING)], unique=True)]}


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
