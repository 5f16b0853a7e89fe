"""Jobs as their owner sees them: looked at, followed live, cancelled."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from redis.asyncio import Redis

from intervai_shared.errors import ConflictError
from intervai_shared.live import LiveUpdates
from intervai_shared.models import Document
from intervai_shared.testing import Person
from qa_service.container import QaContainer

Call = Callable[..., Awaitable[Any]]
Updates = AsyncIterator[tuple[str, Document]]


@pytest.fixture
async def job(container: QaContainer, user: ObjectId, start: Call) -> Document:
    """A queued job of 20 questions."""
    session = await start(questionCount=20)
    return await container.jobs.get(user, session["generation"]["jobId"])


@pytest.fixture
def follow(container: QaContainer, job: Document) -> Callable[..., Updates]:
    def begin(last_id: str | None = None) -> Updates:
        return container.jobs.follow(job, last_id)

    return begin


async def test_a_follower_gets_the_state_first_then_each_update_once_and_the_end_last(
    follow: Callable[..., Updates], job: Document, attempt: Call
) -> None:
    updates = follow()
    first = await anext(updates)
    assert first[1] == {"status": "queued", "progress": 0, "result": None, "error": None}
    await attempt(job["_id"])
    rest = [update async for update in updates]
    of_questions = [10 + 85 * number // 20 for number in range(1, 21)]
    assert [update.get("progress") for _, update in rest] == [0, 10, *of_questions, 100]
    assert [update["status"] for _, update in rest] == ["running"] * 22 + ["succeeded"]
    assert rest[-1][1]["result"]["questions"] == 20
    ids = [update_id for update_id, _ in rest]
    assert len(set(ids)) == len(ids)


async def test_who_comes_back_while_the_job_runs_misses_nothing_and_gets_nothing_twice(
    follow: Callable[..., Updates], job: Document, container: QaContainer
) -> None:
    records, updates = container.jobs._records, follow()
    position, _ = await anext(updates)
    for percent in (10, 20, 30):
        await records.announce(job["_id"], status="running", progress=percent)
    first = [await anext(updates) for _ in range(2)]
    await records.announce(job["_id"], status="succeeded", progress=100)
    resumed = [update async for update in follow(first[0][0])]
    assert [update["progress"] for _, update in resumed] == [20, 30, 100]
    assert resumed[0] == first[1]
    assert [update["progress"] async for _, update in follow(position)] == [10, 20, 30, 100]


async def test_a_job_that_has_ended_tells_its_end_and_no_more(
    follow: Callable[..., Updates], job: Document, attempt: Call
) -> None:
    await attempt(job["_id"])
    for last_id in (None, "0-0", "9999999999999999999-0"):
        [(_, update)] = [found async for found in follow(last_id)]
        assert (update["status"], update["progress"], update["result"]["questions"]) == ("succeeded", 100, 20)


async def test_an_end_whose_update_was_lost_is_told_after_a_silence(
    follow: Callable[..., Updates], job: Document, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_service.jobs.service.SILENCE_SECONDS", 0.05)
    updates = follow()
    await anext(updates)
    assert (await anext(updates))[1]["status"] == "queued"
    lost = {"$set": {"status": "failed", "error": "No."}}
    await container.resources.mongo.db.jobs.update_one({"_id": job["_id"]}, lost)
    told = [update async for _, update in updates]
    assert (told[-1]["status"], told[-1]["error"]) == ("failed", "No.")


async def test_a_job_is_followed_to_its_end_while_redis_is_down(
    follow: Callable[..., Updates], job: Document, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_service.jobs.service.WITHOUT_REDIS_SECONDS", 0.02)
    async with Redis(host="127.0.0.1", port=1) as nobody:
        monkeypatch.setattr(container.jobs, "_live", LiveUpdates(nobody, "qa-service"))
        updates = follow()
        assert [(await anext(updates))[1]["status"] for _ in range(3)] == ["queued"] * 3
        ended = {"$set": {"status": "succeeded", "progress": 100}}
        await container.resources.mongo.db.jobs.update_one({"_id": job["_id"]}, ended)
        told = [update async for _, update in updates]
    assert [update["status"] for update in told][-1] == "succeeded"


async def test_who_goes_away_leaves_no_task_and_no_harm_behind(
    follow: Callable[..., Updates], job: Document, attempt: Call
) -> None:
    before = asyncio.all_tasks()
    updates = follow()
    await anext(updates)
    waiting = asyncio.create_task(anext(updates))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0)
    left = [task.get_name() for task in asyncio.all_tasks() - before]
    assert [name for name in left if not name.startswith("pymongo")] == []
    assert (await attempt(job["_id"]))["status"] == "succeeded"


async def test_the_stream_has_server_sent_events_with_id_name_and_data(
    http: httpx.AsyncClient, container: QaContainer, person: Person, start: Call
) -> None:
    job_id = (await start(person.id))["generation"]["jobId"]
    await container.jobs.cancel(person.id, job_id)
    answer = await http.get(f"/api/v1/jobs/{job_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = dict(line.split(": ", 1) for line in answer.text.splitlines() if line)
    assert lines["event"] == "cancelled"
    assert lines["id"].replace("-", "").isdecimal()
    assert json.loads(lines["data"]) == {"status": "cancelled", "progress": 0, "result": None, "error": None}


async def test_a_wrong_last_event_id_is_refused_before_the_stream_begins(
    http: httpx.AsyncClient, person: Person, start: Call
) -> None:
    job_id = (await start(person.id))["generation"]["jobId"]
    for wrong in ("abc", "1", "1-2-3", "99999999999999999999-0"):
        answer = await http.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": wrong})
        assert answer.status_code == 422, wrong


async def test_a_stream_ends_when_its_person_logs_out(
    http: httpx.AsyncClient, container: QaContainer, person: Person, start: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_service.jobs.service.SILENCE_SECONDS", 0.05)
    job_id = (await start(person.id))["generation"]["jobId"]
    streaming = asyncio.create_task(http.get(f"/api/v1/jobs/{job_id}/events"))
    await asyncio.sleep(0.3)
    assert not streaming.done()
    claims = jwt.decode(person.tokens["accessToken"], options={"verify_signature": False})
    await container.resources.revocations.publish(claims["sid"])
    assert "succeeded" not in (await streaming).text


async def test_a_waiting_job_is_cancelled_once(http: httpx.AsyncClient, person: Person, start: Call) -> None:
    path = f"/api/v1/jobs/{(await start(person.id))['generation']['jobId']}"
    cancelled = await http.delete(path)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await http.delete(path)
    assert (again.status_code, again.json()["detail"]) == (409, "The job has ended already: cancelled.")
    assert (await http.get(path)).json() == cancelled.json()


async def test_a_job_that_is_done_cannot_be_cancelled(
    container: QaContainer, user: ObjectId, job: Document, attempt: Call
) -> None:
    done = await attempt(job["_id"])
    with pytest.raises(ConflictError, match="succeeded"):
        await container.jobs.cancel(user, job["_id"])
    assert await container.jobs.get(user, job["_id"]) == done


async def test_a_job_shows_no_inner_workings(http: httpx.AsyncClient, person: Person, start: Call) -> None:
    job_id = (await start(person.id))["generation"]["jobId"]
    shown = (await http.get(f"/api/v1/jobs/{job_id}")).json()
    assert set(shown) == {"id", "kind", "status", "progress", "result", "error", "createdAt", "updatedAt"}
    assert (shown["id"], shown["kind"], shown["status"]) == (str(job_id), "generation", "queued")
