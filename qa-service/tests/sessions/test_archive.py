"""Archive and restore: put away, out of the list, read-only, and back again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from intervai_shared.models import Document
from qa_service.container import QaContainer

Call = Callable[..., Awaitable[Any]]
NewSession = Callable[..., Awaitable[Document]]


async def titles(http: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await http.get("/api/v1/sessions", params=query)
    assert answer.status_code == 200, answer.text
    return [session["title"] for session in answer.json()["items"]]


async def test_an_archived_session_leaves_the_list_and_comes_back_when_it_is_restored(
    http: httpx.AsyncClient, new_session: NewSession
) -> None:
    one = await new_session(title="One")
    await new_session(title="Two")
    archived = (await http.post(f"{one['path']}/archive")).json()
    assert (archived["id"], archived["title"]) == (one["id"], "One")
    assert archived["archivedAt"] is not None
    assert (await titles(http), await titles(http, archived=True)) == (["Two"], ["One"])
    assert (await http.get(one["path"])).json() == archived
    restored = (await http.post(f"{one['path']}/restore")).json()
    assert restored["archivedAt"] is None
    assert (await titles(http), await titles(http, archived=True)) == (["Two", "One"], [])


async def test_archiving_and_restoring_again_changes_nothing(http: httpx.AsyncClient, new_session: NewSession) -> None:
    path = (await new_session())["path"]
    for act in ("archive", "restore"):
        first, second = [await http.post(f"{path}/{act}") for _ in range(2)]
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json() == second.json()


async def test_of_an_archived_session_nothing_can_be_changed(http: httpx.AsyncClient, new_session: NewSession) -> None:
    session = await new_session(questions=1)
    path = session["path"]
    question = (await http.get(f"{path}/questions")).json()["items"][0]
    await http.post(f"{path}/archive")
    own = f"/api/v1/questions/{question['id']}"
    refused = [
        await http.patch(path, json={"title": "New"}),
        await http.post(f"{path}/questions", json={"text": "Why?"}),
        await http.post(f"{path}/generations", json={"count": 1}),
        await http.patch(own, json={"text": "Changed?"}),
        await http.delete(own),
    ]
    assert [answer.status_code for answer in refused] == [409] * len(refused)
    assert {answer.json()["detail"] for answer in refused} == {
        "The session is archived and so cannot be changed. Restore it first."
    }
    assert (await http.get(f"{path}/questions")).json()["items"] == [question]
    assert (await http.post(f"{path}/restore")).json()["title"] == session["title"]
    assert (await http.patch(own, json={"text": "Changed?"})).json()["text"] == "Changed?"
    assert (await http.post(f"{path}/questions", json={"text": "Why?"})).status_code == 201


async def test_an_archived_session_can_be_deleted(http: httpx.AsyncClient, new_session: NewSession) -> None:
    path = (await new_session(questions=1))["path"]
    await http.post(f"{path}/archive")
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404


async def test_a_generation_that_waits_adds_nothing_to_a_session_that_was_archived_meanwhile(
    http: httpx.AsyncClient, new_session: NewSession, container: QaContainer, worker: Any, person: Any
) -> None:
    session = await new_session()
    started = (await http.post(f"{session['path']}/generations", json={"count": 2})).json()
    await http.post(f"{session['path']}/archive")
    job = await container.resources.mongo.db.jobs.find_one({"user": person.id})
    assert job is not None
    await worker.work.run(job["_id"])
    ended = (await http.get(f"/api/v1/jobs/{started['jobId']}")).json()
    assert (ended["status"], ended["error"]) == ("failed", "The session has been archived.")
    assert (await http.get(session["path"])).json()["questionCount"] == 0


async def test_questions_that_come_while_a_session_is_archived_are_counted_or_refused(
    http: httpx.AsyncClient, new_session: NewSession
) -> None:
    path = (await new_session())["path"]
    adding = [http.post(f"{path}/questions", json={"text": f"{number}?"}) for number in range(6)]
    answers = await asyncio.gather(*adding[:3], http.post(f"{path}/archive"), *adding[3:])
    added = [answer.status_code for answer in answers].count(201)
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert (await http.get(path)).json()["questionCount"] == added
    assert len((await http.get(f"{path}/questions")).json()["items"]) == added


async def test_the_list_is_narrowed_by_status_and_by_a_piece_of_the_title(
    http: httpx.AsyncClient, new_session: NewSession
) -> None:
    for title in ("My (first) day", "My second day", "Other"):
        session = await new_session(title=title)
        if "second" in title:
            await http.patch(session["path"], json={"status": "completed"})
    assert await titles(http, q="DAY") == ["My second day", "My (first) day"]
    assert await titles(http, q="(first)") == ["My (first) day"]
    assert await titles(http, q=".*") == []
    assert await titles(http, status="completed") == ["My second day"]
    assert await titles(http, status="pending", q="day") == ["My (first) day"]
    assert (await http.get("/api/v1/sessions", params={"status": "lost"})).status_code == 422


async def test_pages_of_the_archive_follow_one_another(http: httpx.AsyncClient, new_session: NewSession) -> None:
    for number in range(5):
        session = await new_session(title=str(number))
        if number % 2 == 0:
            await http.post(f"{session['path']}/archive")
    seen, cursor = [], None
    for _ in range(3):
        query = {"archived": True, "limit": 1, **({"cursor": cursor} if cursor else {})}
        page = (await http.get("/api/v1/sessions", params=query)).json()
        seen += [session["title"] for session in page["items"]]
        cursor = page["nextCursor"]
    assert (seen, cursor) == (["4", "2", "0"], None)


@pytest.mark.parametrize("act", ["archive", "restore", "clone"])
async def test_anothers_session_is_not_there(act: str, http: httpx.AsyncClient, start: Call) -> None:
    foreign = await start(generate=False)
    answer = await http.post(f"/api/v1/sessions/{foreign['_id']}/{act}", json={} if act == "clone" else None)
    assert answer.status_code == 404
