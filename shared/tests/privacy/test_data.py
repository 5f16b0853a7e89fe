"""A person sees all of their own, field by field as declared, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.errors import InvalidError
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.privacy.data import PAGE, PersonalData
from intervai_shared.privacy.holdings import Holding, Holdings

Call = Callable[..., Awaitable[Any]]


async def pages(data: PersonalData, user: ObjectId) -> list[list[Document]]:
    found, cursor = [], None
    while True:
        page = await data.page(user, cursor)
        found.append(page["items"])
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def test_pages_are_bounded_and_together_hold_each_document_once(
    db: Database, holdings: Holdings, stored: Call, event: Call, user: ObjectId
) -> None:
    ids = await stored(user, 2 * PAGE + 10)
    await stored(ObjectId(), 5)
    await db.profiles.insert_one({"_id": user, "text": "mine", "secret": "hidden"})
    await event(user)
    found = await pages(PersonalData(db, holdings), user)
    assert [len(page) for page in found] == [PAGE, PAGE, 12]
    items = [item for page in found for item in page]
    assert [item["document"]["id"] for item in items if item["collection"] == "things"] == ids
    assert [item["collection"] for item in items[-2:]] == ["profiles", "events"]
    assert items[-2]["document"] == {"id": user, "text": "mine"}
    assert items[-1]["document"]["data"] == {"user": str(user), "text": "told"}
    assert "hidden" not in str(items)


async def test_a_page_that_is_just_full_has_an_end(
    db: Database, holdings: Holdings, stored: Call, user: ObjectId
) -> None:
    await stored(user, PAGE)
    found = await pages(PersonalData(db, holdings), user)
    assert sum(len(page) for page in found) == PAGE


@pytest.mark.parametrize("cursor", ["", "x", "W10=", "WzAsIDFd", "Wzk5LCAiYSJd", "bnVsbA=="])
async def test_a_cursor_that_is_none_is_refused(db: Database, holdings: Holdings, user: ObjectId, cursor: str) -> None:
    with pytest.raises(InvalidError):
        await PersonalData(db, holdings).page(user, cursor)


def test_what_nobody_has_declared_is_named(holdings: Holdings) -> None:
    known = ["things", "uses", "uses.abc", "keys", "events", "outbox", "inbox", "erasures"]
    assert holdings.undeclared([*known, "secrets", "things.abc", "use"]) == ["secrets", "things.abc", "use"]
    assert Holdings((Holding("a"),)).undeclared(["b"]) == ["b"]
