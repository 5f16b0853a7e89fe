"""Cursor paging: a cursor is the position of the last item seen, opaque to the caller."""

import base64
from collections.abc import Sequence
from typing import Any

from bson import json_util

from intervai_shared.errors import InvalidError

_UTC = json_util.JSONOptions(tz_aware=True)


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
