"""Cursor paging by keyset (https://use-the-index-luke.com/no-offset): a cursor is the position of the last item seen,
opaque to the caller. So a page costs the same wherever it is, and what is added before it moves nothing."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId, json_util
from pymongo import DESCENDING

from intervai_shared.errors import InvalidError
from intervai_shared.models import Document
from intervai_shared.mongo import Collection

_UTC = json_util.JSONOptions(tz_aware=True)
Position = list[Any]


@dataclass(frozen=True)
class ListOrder:
    """The order of a list: its sort keys with their types, all descending, the last one unique. An index that begins
    with what the list is narrowed by and goes on with `sort` serves it."""

    keys: Mapping[str, type]

    @property
    def sort(self) -> list[tuple[str, int]]:
        """For an index, and for a query of the whole list."""
        return [(key, DESCENDING) for key in self.keys]

    def position(self, cursor: str | None) -> Position | None:
        """Where a page begins; None: at the top. Raises InvalidError when this is no cursor of this list."""
        return decode_cursor(cursor, list(self.keys.values())) if cursor else None

    async def find(
        self,
        collection: Collection,
        where: Document,
        limit: int,
        after: Position | None,
        fields: Document | None = None,
    ) -> list[Document]:
        """The first `limit` documents after a position; `fields`: a projection, which must leave the sort keys."""
        following = {**where, "$or": self._following(after)} if after else where
        return await collection.find(following, fields).sort(self.sort).limit(limit).to_list()

    def page(self, found: Sequence[Document], limit: int) -> Document:
        """The answer of a list route, from one document more than a page shows, if there are so many."""
        shown = found[:limit]
        following = encode_cursor([shown[-1][key] for key in self.keys]) if len(found) > limit else None
        return {"items": shown, "nextCursor": following}

    def _following(self, after: Position) -> list[Document]:
        keys = list(self.keys)
        return [
            {**dict(zip(keys[:depth], after, strict=False)), key: {"$lt": after[depth]}}
            for depth, key in enumerate(keys)
        ]


NEWEST_FIRST = ListOrder({"createdAt": datetime, "_id": ObjectId})


def encode_cursor(position: Sequence[Any]) -> str:
    """A cursor for the sort key values of an item (dates, booleans, ObjectIds, text, numbers)."""
    return base64.urlsafe_b64encode(json_util.dumps(list(position)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The sort key values back.

    Raises:
        InvalidError: this is no cursor of such a list; `kinds` are the types that its values must have.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        position = json_util.loads(text, json_options=_UTC)
    except Exception as error:  # what a made-up cursor makes of bson's types raises a dozen kinds, InvalidId among them
        raise _refused() from error
    if not isinstance(position, list) or len(position) != len(kinds):
        raise _refused()
    if not all(type(value) is kind for value, kind in zip(position, kinds, strict=True)):
        raise _refused()
    return position


def _refused() -> InvalidError:
    return InvalidError([{"field": "query.cursor", "message": "is not a cursor of this list"}])
