"""Preferences in Mongo."""

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session, to_be_retried
from intervai_shared.resources import Indexes

#: Read by `_id`, which is the account's id: no index of its own is needed.
INDEXES: Indexes = {"preferences": []}


class PreferencesRepository:
    """One document a person who has ever set them."""

    def __init__(self, db: Database) -> None:
        self._preferences = db.preferences

    async def get(self, user: ObjectId, session: Session | None = None) -> Document | None:
        """The person's preferences, as far as they are stored."""
        return await self._preferences.find_one({"_id": user}, session=session)

    async def replace(self, user: ObjectId, fields: Document, session: Session) -> None:
        """Stores all of them."""
        stored = {**fields, "updatedAt": utc_now()}
        try:
            await self._preferences.replace_one({"_id": user}, stored, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error
