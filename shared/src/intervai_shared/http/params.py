"""Path and query parameters that many routes have."""

from typing import Annotated

from fastapi import Path, Query

#: The id of a resource: an ObjectId as 24 hex digits.
IdPath = Annotated[str, Path(pattern="^[0-9a-f]{24}$", examples=["665f1c2e9b1d8a0012345678"])]
Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page holds.")]
Cursor = Annotated[str | None, Query(max_length=512, description="`nextCursor` of the page before.")]
