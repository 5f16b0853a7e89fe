"""Collections: questions of several sessions under a name; what is deleted is in none any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId

from intervai_shared.testing import NewPerson, Person
from qa_service.collections import service
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def path(ask: Call) -> str:
    """An empty collection."""
    made = await ask("POST", "/collections", 201, json={"name": " Mine "})
    assert (made["name"], made["description"], made["questionCount"]) == ("Mine", "", 0)
    return f"/collections/{made['id']}"


async def test_questions_of_several_sessions_come_together_the_last_collected_first(
    add: Call, ask: Call, start: Call, path: str, person: Person
) -> None:
    second = str((await start(person.id, generate=False))["_id"])
    questions = [await add("1?"), await add("2?", second), await add("3?")]
    for question in questions:
        await ask("PUT", f"{path}/questions/{question['id']}", 204)
    await ask("PUT", f"{path}/questions/{questions[0]['id']}", 204)
    first = await ask("GET", f"{path}/questions", params={"limit": 2})
    rest = await ask("GET", f"{path}/questions", params={"limit": 2, "cursor": first["nextCursor"]})
    found = [*first["items"], *rest["items"]]
    assert [question["text"] for question in found] == ["3?", "2?", "1?"]
    assert {**found[1], "collectedAt": None} == {**questions[1], "collectedAt": None}
    assert rest["nextCursor"] is None
    assert (await ask("GET", path))["questionCount"] == 3
    await ask("DELETE", f"{path}/questions/{questions[1]['id']}", 204)
    await ask("DELETE", f"{path}/questions/{questions[1]['id']}", 404)
    assert [item["text"] for item in (await ask("GET", f"{path}/questions"))["items"]] == ["3?", "1?"]
    assert (await ask("GET", f"/questions/{questions[1]['id']}"))["text"] == "2?"


async def test_what_is_deleted_is_in_no_collection_any_more(
    add: Call, ask: Call, start: Call, path: str, person: Person, container: QaContainer
) -> None:
    second = str((await start(person.id, generate=False))["_id"])
    ids = [(await add(f"{number}?"))["id"] for number in range(3)] + [(await add("4?", second))["id"]]
    await ask("POST", f"{path}/questions", json={"ids": ids})
    await ask("DELETE", f"/questions/{ids[0]}", 204)
    await ask("POST", "/questions/bulk", json={"ids": ids[1:2], "action": "delete"})
    await ask("DELETE", f"/sessions/{second}", 204)
    assert [item["id"] for item in (await ask("GET", f"{path}/questions"))["items"]] == ids[2:3]
    assert (await ask("GET", path))["questionCount"] == 1
    await ask("DELETE", path, 204)
    await ask("GET", path, 404)
    assert await container.resources.mongo.db.collection_items.count_documents({}) == 0
    assert (await ask("GET", f"/questions/{ids[2]}"))["id"] == ids[2]


async def test_many_are_collected_at_once_and_each_tells_what_became_of_it(
    add: Call, ask: Call, start: Call, path: str, container: QaContainer, new_person: NewPerson
) -> None:
    other = (await new_person()).id
    foreign = await container.questions.add(other, (await start(other, generate=False))["_id"], NewQuestion(text="?"))
    one, two = (await add("1?"))["id"], (await add("2?"))["id"]
    await ask("PUT", f"{path}/questions/{one}", 204)
    ids = [two, str(foreign["_id"]), one, two]
    answer = await ask("POST", f"{path}/questions", json={"ids": ids})
    assert [item["status"] for item in answer["items"]] == ["done", "notFound", "done"]
    assert [item["id"] for item in (await ask("GET", f"{path}/questions"))["items"]] == [two, one]
    await ask("PUT", f"{path}/questions/{foreign['_id']}", 404)
    await ask("POST", f"/collections/{ObjectId()}/questions", 404, json={"ids": ids})
    await ask("GET", f"/collections/{ObjectId()}/questions", 404)


async def test_collections_are_listed_with_their_sizes_and_can_be_renamed(add: Call, ask: Call, path: str) -> None:
    await ask("PUT", f"{path}/questions/{(await add())['id']}", 204)
    for number in range(2):
        await ask("POST", "/collections", 201, json={"name": f"{number}", "description": "x"})
    renamed = await ask("PATCH", path, json={"name": "Yours"})
    first = await ask("GET", "/collections", params={"limit": 2})
    rest = await ask("GET", "/collections", params={"cursor": first["nextCursor"]})
    found = [(item["name"], item["questionCount"]) for item in [*first["items"], *rest["items"]]]
    assert found == [("1", 0), ("0", 0), ("Yours", 1)]
    assert rest["items"] == [renamed]


async def test_limits_hold_also_for_requests_at_a_time(
    add: Call, ask: Call, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_COLLECTIONS", 2)
    monkeypatch.setattr(service, "MOST_QUESTIONS", 3)
    await ask("POST", "/collections", 201, json={"name": "2"})
    await ask("POST", "/collections", 409, json={"name": "3"})
    ids = [(await add(f"{number}?"))["id"] for number in range(4)]
    await ask("POST", f"{path}/questions", 409, json={"ids": ids})
    await ask("POST", f"{path}/questions", json={"ids": ids[:2]})

    async def put(question: str) -> bool:
        try:
            await ask("PUT", f"{path}/questions/{question}", 204)
        except AssertionError:
            return False
        return True

    assert sorted(await asyncio.gather(*[put(question) for question in ids[2:]])) == [False, True]
    assert (await ask("GET", path))["questionCount"] == 3


async def test_a_wrong_collection_is_refused(ask: Call, path: str) -> None:
    for wrong in ({}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "size": 1}, {"name": {"$ne": 1}}):
        await ask("POST", "/collections", 422, json=wrong)
    for wrong in ({"name": None}, {"questionCount": 1}):
        await ask("PATCH", path, 422, json=wrong)
