"""What a person gets to see of what a service holds of them, page by page: nobody needs all of it in memory."""

import base64
from typing import Any

from bson import ObjectId, json_util

from intervai_shared.errors import InvalidError
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.privacy.holdings import Holding, Holdings

#: Documents of a page.
PAGE = 200
_EVENT = ("type", "occurredAt", "data")
#: The log of events is shown too: it keeps what other collections forget.
EVENTS = (
    Holding("events", owner=("aggregateId",), shown=_EVENT),
    Holding("events", owner=("data.user",), as_text=True, shown=_EVENT),
)


class PersonalData:
    """Reads the collections of a service's declaration, one after the other, each in the order of its ids."""

    def __init__(self, db: Database, holdings: Holdings) -> None:
        self._db = db
        shown = [holding for holding in (*holdings.documents, *EVENTS) if holding.shown]
        self._sources = [(holding, number) for holding in shown for number in range(len(holding.owner))]

    async def page(self, user: ObjectId, cursor: str | None) -> Document:
        """`{items: [{collection, document}], nextCursor}`, the documents with the fields that are shown and their `id`.
        Raises InvalidError when the cursor is none."""
        at, after = self._position(cursor)
        items: list[Document] = []
        while at < len(self._sources):
            found = await self._read(user, at, after, PAGE - len(items))
            collection = self._sources[at][0].collection
            items += [{"collection": collection, "document": _shown(document)} for document in found]
            if len(items) == PAGE:
                return {"items": items, "nextCursor": _cursor(at, found[-1]["_id"])}
            at, after = at + 1, None
        return {"items": items, "nextCursor": None}

    async def _read(self, user: ObjectId, source: int, after: Any, limit: int) -> list[Document]:
        holding, number = self._sources[source]
        where = holding.filters(user)[number]
        if after is not None:
            where = {"$and": [where, {"_id": {"$gt": after}}]}
        fields = dict.fromkeys(holding.shown, True)
        return await self._db[holding.collection].find(where, fields).sort("_id", 1).limit(limit).to_list()

    def _position(self, cursor: str | None) -> tuple[int, Any]:
        if cursor is None:
            return 0, None
        try:
            at, after = json_util.loads(base64.urlsafe_b64decode(cursor))
        except Exception as error:  # what a made-up cursor makes of bson's types raises a dozen kinds
            raise _refused() from error
        if type(at) is not int or not 0 <= at < len(self._sources) or not isinstance(after, ObjectId | str):
            raise _refused()
        return at, after


def _cursor(at: int, after: Any) -> str:
    return base64.urlsafe_b64encode(json_util.dumps([at, after]).encode()).decode()


def _shown(document: Document) -> Document:
    return {"id": document["_id"], **{key: value for key, value in document.items() if key != "_id"}}


def _refused() -> InvalidError:
    return InvalidError([{"field": "query.cursor", "message": "is not a cursor of this list"}])
