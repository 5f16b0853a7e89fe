"""Drafts: what somebody types is saved again and again, and no late save undoes a newer one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.practice.schemas import DraftChange

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def save(container: QaContainer, question: Document, user: ObjectId) -> Call:
    async def call(answer: str, version: int | None = None) -> Document:
        return await container.drafts.save(user, question["_id"], DraftChange(answer=answer, version=version))

    return call


async def test_an_older_save_never_overwrites_a_newer_one_in_whatever_order_they_come(
    save: Call, container: QaContainer, question: Document, user: ObjectId
) -> None:
    saves = [save(f"text {number}", number) for number in (3, 1, 5, 2, 4)]
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert not isinstance(outcomes[2], Exception)
    assert {type(outcome) for outcome in outcomes} <= {dict, ConflictError}
    assert (await container.drafts.get(user, question["_id"]))["answer"] == "text 5"
    with pytest.raises(ConflictError) as refused:
        await save("text 4", 4)
    assert refused.value.extra == {"version": 5}


async def test_a_save_that_is_sent_again_is_no_conflict_and_another_of_its_version_is(save: Call) -> None:
    first = await save("once", 1)
    assert await save("once", 1) == first
    with pytest.raises(ConflictError):
        await save("other", 1)


async def test_a_save_without_a_version_is_the_newest(save: Call) -> None:
    assert [(await save(text))["version"] for text in ("a", "b")] == [1, 2]
    assert (await save("c", 9))["version"] == 9
    assert (await save("d"))["version"] == 10


async def test_handing_in_takes_the_place_of_the_draft_and_a_late_save_does_not_bring_it_back(
    save: Call, hand_in: Call, container: QaContainer, question: Document, user: ObjectId
) -> None:
    await save("so far", 1)
    await hand_in(question, draft_version=2)
    for late in (1, 2):
        with pytest.raises(ConflictError):
            await save("late", late)
    with pytest.raises(NotFoundError):
        await container.drafts.get(user, question["_id"])
    assert (await save("a new try", 3))["answer"] == "a new try"


async def test_a_hand_in_that_fails_leaves_the_draft(
    save: Call, hand_in: Call, container: QaContainer, question: Document, user: ObjectId, monkeypatch: Any
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError

    await save("so far")
    monkeypatch.setattr(container.resources.outbox, "add_job", fails)
    with pytest.raises(ConnectionError):
        await hand_in(question)
    assert (await container.drafts.get(user, question["_id"]))["answer"] == "so far"
    assert await container.resources.mongo.db.attempts.count_documents({}) == 0


async def test_drafts_over_http(http: httpx.AsyncClient, start: Call, add_question: Call, person: Person) -> None:
    question = await add_question(await start(person.id, generate=False), person.id)
    path = f"/api/v1/questions/{question['_id']}/draft"
    assert (await http.get(path)).status_code == 404
    saved = await http.put(path, json={"answer": "So far", "version": 2})
    assert (saved.status_code, saved.json()["version"]) == (200, 2)
    assert (await http.get(path)).json() == saved.json()
    late = await http.put(path, json={"answer": "Before", "version": 1})
    assert (late.status_code, late.json()["version"]) == (409, 2)
    assert (await http.put(path, json={"answer": "x" * 10_001})).status_code == 422
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    assert (await http.put(f"/api/v1/questions/{ObjectId()}/draft", json={"answer": "x"})).status_code == 404
