"""Promises of `/api/v1/notifications`: made from events, once; listed, read and cleared by their owner alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person
from user_service.container import UserContainer

PATH = "/api/v1/notifications"
PREFERENCES = "/api/v1/users/me/preferences"
Happens = Callable[..., Awaitable[Document]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]
DEVICE = {"address": "203.0.113.7", "userAgent": "Firefox 150 on Linux", "at": "2026-11-24T10:00:00Z"}


async def titles(http: httpx.AsyncClient, **params: Any) -> list[str]:
    return [item["title"] for item in (await http.get(PATH, params=params)).json()["items"]]


async def test_questions_that_are_ready_are_told_with_the_way_to_them(
    http: httpx.AsyncClient, generated: Happens
) -> None:
    event = await generated(10)
    page = (await http.get(PATH)).json()
    assert (page["unreadCount"], page["nextCursor"], len(page["items"])) == (1, None, 1)
    found = page["items"][0]
    assert (found["kind"], found["title"]) == ("questionsGenerated", "10 new questions are ready")
    assert found["data"] == {"sessionId": event["aggregateId"], "jobId": event["data"]["jobId"], "count": 10}
    assert set(found) == {"id", "kind", "title", "text", "data", "readAt", "createdAt"}
    assert found["readAt"] is None


async def test_an_export_that_is_ready_is_told_with_its_format_and_size(
    http: httpx.AsyncClient, happens: Happens, person: Person
) -> None:
    data = {"user": str(person.id), "format": "pdf", "sizeBytes": 48_211}
    event = await happens("export.completed", ObjectId(), **data)
    [found] = (await http.get(PATH)).json()["items"]
    assert (found["kind"], found["title"], found["text"]) == (
        "exportReady",
        "Your PDF file is ready",
        "48.2 KB to download.",
    )
    assert found["data"] == {"exportId": event["aggregateId"], "format": "pdf", "sizeBytes": 48_211}


async def test_a_login_with_a_new_device_is_told_with_where_it_came_from(
    http: httpx.AsyncClient, happens: Happens, person: Person
) -> None:
    await happens("user.new-device", person.id, **DEVICE)
    [found] = (await http.get(PATH)).json()["items"]
    assert (found["kind"], found["data"]) == ("newLogin", DEVICE)
    assert "203.0.113.7" in found["text"]
    assert "Firefox 150 on Linux" in found["text"]


async def test_an_event_that_comes_twice_or_to_many_workers_makes_one_notification(
    http: httpx.AsyncClient, generated: Happens, inbox: Inbox
) -> None:
    event = await generated(3)
    await asyncio.gather(*(inbox.apply(event) for _ in range(6)))
    assert await titles(http) == ["3 new questions are ready"]


@pytest.mark.parametrize("kind", ["questionsGenerated", "exportReady", "newLogin"])
async def test_a_kind_that_is_switched_off_makes_none_and_the_others_still_do(
    http: httpx.AsyncClient, generated: Happens, happens: Happens, person: Person, kind: str
) -> None:
    await http.put(PREFERENCES, json={"notifications": {kind: False}})
    await generated(1)
    await happens("export.completed", ObjectId(), user=str(person.id), format="md", sizeBytes=9)
    await happens("user.new-device", person.id, **DEVICE)
    kinds = {item["kind"] for item in (await http.get(PATH)).json()["items"]}
    assert kinds == {"questionsGenerated", "exportReady", "newLogin"} - {kind}


async def test_the_list_has_the_newest_first_and_pages_through_all_once(
    http: httpx.AsyncClient, generated: Happens
) -> None:
    for count in range(1, 8):
        await generated(count)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await http.get(PATH, params={"limit": 3, "cursor": cursor} if cursor else {"limit": 3})).json()
        assert page["unreadCount"] == 7
        seen += [item["title"].split()[0] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == ["7", "6", "5", "4", "3", "2", "1"]


async def test_reading_some_leaves_the_others_unread(http: httpx.AsyncClient, generated: Happens) -> None:
    for count in (1, 2, 3):
        await generated(count)
    newest, middle, _ = (await http.get(PATH)).json()["items"]
    answer = await http.post(f"{PATH}/read", json={"ids": [newest["id"], middle["id"], str(ObjectId())]})
    assert (answer.status_code, answer.json()) == (200, {"marked": 2, "unreadCount": 1})
    again = await http.post(f"{PATH}/read", json={"ids": [newest["id"]]})
    assert again.json() == {"marked": 0, "unreadCount": 1}
    assert await titles(http, unread="true") == ["1 new question is ready"]
    items = (await http.get(PATH)).json()["items"]
    assert [bool(item["readAt"]) for item in items] == [True, True, False]


async def test_reading_all_leaves_none_unread_and_none_out(http: httpx.AsyncClient, generated: Happens) -> None:
    for count in (1, 2, 3):
        await generated(count)
    assert (await http.post(f"{PATH}/read", json={"all": True})).json() == {"marked": 3, "unreadCount": 0}
    assert await titles(http, unread="true") == []
    assert len(await titles(http)) == 3
    await generated(4)
    assert (await http.get(PATH)).json()["unreadCount"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"all": False}, {"ids": []}, {"ids": ["x"]}, {"ids": [{"$gt": ""}]}, {"all": True, "ids": ["a" * 24]}]
)
async def test_what_to_read_must_be_said_in_one_way(http: httpx.AsyncClient, generated: Happens, body: Any) -> None:
    await generated(1)
    answer = await http.post(f"{PATH}/read", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert (await http.get(PATH)).json()["unreadCount"] == 1


async def test_an_idempotency_key_gives_the_first_answer_again(http: httpx.AsyncClient, generated: Happens) -> None:
    await generated(1)
    headers = {"Idempotency-Key": str(ObjectId())}
    first = await http.post(f"{PATH}/read", json={"all": True}, headers=headers)
    await generated(2)
    again = await http.post(f"{PATH}/read", json={"all": True}, headers=headers)
    assert again.json() == first.json() == {"marked": 1, "unreadCount": 0}
    assert (await http.get(PATH)).json()["unreadCount"] == 1


async def test_one_is_cleared_by_its_id_and_all_without(http: httpx.AsyncClient, generated: Happens) -> None:
    for count in (1, 2, 3):
        await generated(count)
    newest = (await http.get(PATH)).json()["items"][0]
    assert (await http.delete(PATH, params={"id": newest["id"]})).status_code == 204
    assert (await http.delete(PATH, params={"id": newest["id"]})).status_code == 404
    assert (await http.delete(PATH, params={"id": "nonsense"})).status_code == 422
    assert len(await titles(http)) == 2
    assert (await http.delete(PATH)).status_code == 204
    assert (await http.get(PATH)).json() == {"items": [], "nextCursor": None, "unreadCount": 0}
    assert (await http.delete(PATH)).status_code == 204


async def test_nobody_reads_marks_or_clears_what_is_anothers(
    http: httpx.AsyncClient, generated: Happens, new_person: NewPerson
) -> None:
    await generated(5)
    [mine] = (await http.get(PATH)).json()["items"]
    stranger = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    assert (await http.get(PATH, headers=stranger)).json() == {"items": [], "nextCursor": None, "unreadCount": 0}
    for body in ({"ids": [mine["id"]]}, {"all": True}):
        answer = await http.post(f"{PATH}/read", json=body, headers=stranger)
        assert answer.json() == {"marked": 0, "unreadCount": 0}
    assert (await http.delete(PATH, params={"id": mine["id"]}, headers=stranger)).status_code == 404
    assert (await http.delete(PATH, headers=stranger)).status_code == 204
    assert (await http.get(PATH)).json() == {"items": [mine], "nextCursor": None, "unreadCount": 1}


async def test_only_the_newest_are_kept_for_each_person_by_themselves(
    start: Start, generated: Happens, new_person: NewPerson, monkeypatch: pytest.MonkeyPatch, user_app: Any
) -> None:
    settings = user_app[1].resources.settings.model_copy(update={"notifications_kept": 3})
    monkeypatch.setattr(user_app[1].notifications, "_settings", settings)
    other = await new_person()
    await generated(9, owner=other.id)
    for count in range(1, 6):
        await generated(count)
    http = user_app[0]
    assert [title.split()[0] for title in await titles(http)] == ["5", "4", "3"]
    others = {"Authorization": f"Bearer {other.tokens['accessToken']}"}
    assert len((await http.get(PATH, headers=others)).json()["items"]) == 1


async def test_a_hundred_are_kept_even_of_many_that_come_at_once(
    http: httpx.AsyncClient, generated: Happens, database: Database, person: Person
) -> None:
    older = [{"user": person.id, "kind": "newLogin", "title": "old", "data": {}, "readAt": None} for _ in range(99)]
    long_ago = ObjectId("5f0000000000000000000000").generation_time
    await database.notifications.insert_many([{**one, "createdAt": long_ago} for one in older])
    await asyncio.gather(*(generated(count) for count in range(1, 9)))
    assert await database.notifications.count_documents({"user": person.id}) == 100
    newest = await titles(http, limit=9)
    assert sorted(title.split()[0] for title in newest[:8]) == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert newest[8] == "old"


async def test_a_page_is_found_by_the_index(http: httpx.AsyncClient, generated: Happens, database: Database) -> None:
    await generated(1)
    keys = [list(index["key"].items()) async for index in await database.notifications.list_indexes()]
    assert [("user", 1), ("createdAt", -1), ("_id", -1)] in keys


async def test_a_notification_and_its_announcement_are_written_together_or_not_at_all(
    happens: Happens, generated: Happens, database: Database, user_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("no more ink")

    with monkeypatch.context() as patch:
        patch.setattr(user_app[1].notifications._outbox, "add_job", fails)
        with pytest.raises(RuntimeError, match="ink"):
            await generated(1)
    assert await database.notifications.count_documents({}) == 0
    assert await database.inbox.count_documents({}) == 0
    await generated(1)
    stored = await database.notifications.find_one()
    message = await database.outbox.find_one({"name": "announce_notification"})
    assert stored is not None
    assert message is not None
    assert message["args"] == [str(stored["user"]), str(stored["_id"])]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=%7B", "unread=perhaps"])
async def test_a_wrong_query_is_refused(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"{PATH}?{query}")).status_code == 422
