"""Messages that a worker gives up: kept with what went wrong, and done again or dropped by whoever looks after them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.middleware import SkipMessage

from intervai_shared import context
from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.messaging import broker
from intervai_shared.messaging.failures import FailureMiddleware
from intervai_shared.models import Document, utc_now
from intervai_shared.settings import ServiceSettings

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
StartWorker = Callable[..., Any]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def has_letters(desk: Any, count: int) -> bool:
    return len(await desk.letters()) == count


async def has_status(desk: Any, job_id: ObjectId, status: str) -> bool:
    return bool(await desk.status(job_id) == status)


async def test_what_failed_for_good_is_kept_with_its_error_and_its_trace(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    start_worker()
    context.request_id.set("request-0123456789")
    context.traceparent.set(TRACE)
    job_id = await desk.add("fail")
    too_long = await desk.add("", actor="overrun")
    await desk.add("impossible")  # ends as it should: nobody has to look after it
    await desk.outbox.transaction(lambda session: desk.outbox.add_job(session, "stumble", "chores"))
    await eventually(lambda: has_letters(desk, 3))
    letters = {letter["actor"]: letter for letter in await desk.letters(state="dead", reason="failed")}
    letter = letters["do_job"]
    assert (letter["queue"], letter["args"], letter["records"]) == ("jobs", [str(job_id)], "jobs")
    assert "ConnectionError('as it is meant to')" in letter["error"]
    assert "counting_worker.py" in letter["traceback"]
    assert letter["trace"] == {"requestId": "request-0123456789", "traceparent": TRACE}
    assert letters["overrun"]["args"] == [str(too_long)]
    assert (letters["stumble"]["retries"], letters["stumble"]["records"]) == (3, None)


async def test_a_message_that_kills_its_worker_three_times_is_given_up(
    start_worker: StartWorker, desk: Any, eventually: Eventually
) -> None:
    job_id = await desk.add("kill")
    for _ in range(3):
        worker = start_worker(ready=False)
        assert await asyncio.to_thread(worker.process.wait, 30) == 9, worker.log.read_text()
    start_worker()
    await eventually(lambda: has_letters(desk, 1))
    [letter] = await desk.letters()
    assert (letter["actor"], letter["reason"]) == ("do_job", "killed its worker")
    assert await desk.attempts(job_id) == [1, 2, 3]
    assert await desk.status(job_id) == "failed"
    later = await desk.add("ok")
    await eventually(lambda: has_status(desk, later, "succeeded"))


@pytest.fixture
def failures(settings: ServiceSettings) -> tuple[Any, FailureMiddleware]:
    """The middleware of a worker, and its broker."""

    async def keep(letter: Document) -> None:
        raise AssertionError(letter)

    return broker.consumer(settings), FailureMiddleware(settings.service, keep, {})


def begun(failures: tuple[Any, FailureMiddleware], message: MessageProxy) -> bool:
    """Whether the message may be worked at."""
    worker, middleware = failures
    try:
        middleware.before_process_message(worker, message)
    except SkipMessage:
        return False
    return True


async def test_an_event_is_poison_as_well_after_three_starts_without_an_end(failures: Any) -> None:
    event, other = _proxy("apply_event", "event-1"), _proxy("apply_event", "event-2")
    assert [begun(failures, event) for _ in range(4)] == [True, True, True, False]
    assert event.failed
    assert begun(failures, other)


async def test_an_end_begins_the_count_anew(failures: Any) -> None:
    worker, middleware = failures
    event = _proxy("apply_event", "event-1")
    for _ in range(8):
        assert begun(failures, event)
        middleware.after_process_message(worker, event, exception=ValueError())


async def test_without_redis_nothing_counts_as_poison(failures: Any, without_redis: ServiceSettings) -> None:
    away = (broker.consumer(without_redis), failures[1])
    assert all(begun(away, _proxy("apply_event", "event-1")) for _ in range(6))


def _proxy(actor: str, message_id: str) -> MessageProxy:
    message: Message[Any] = Message(
        queue_name="events", actor_name=actor, args=(), kwargs={}, options={}, message_id=message_id
    )
    return MessageProxy(message)


async def test_a_message_that_waited_too_long_fails_its_job(
    start_worker: StartWorker, settings: ServiceSettings, desk: Any, eventually: Eventually
) -> None:
    job_id = await desk.add("ok")
    stored = await desk.db.outbox.find_one({"kind": "job"})
    await desk.db.outbox.delete_one({"_id": stored["_id"]})
    yesterday = int((utc_now() - timedelta(hours=25)).timestamp() * 1000)
    old = Message(
        queue_name="jobs", actor_name="do_job", args=(str(job_id),), kwargs={}, options={},
        message_id=str(stored["_id"]), message_timestamp=yesterday,
    )  # fmt: skip
    unknown = old.copy(actor_name="no_such_actor", message_id="not-from-the-outbox")
    for message in (old, unknown):
        await asyncio.to_thread(broker.publisher(settings, settings.service).enqueue, message)
    start_worker()
    await eventually(lambda: has_letters(desk, 2))
    assert {letter["reason"] for letter in await desk.letters()} == {"too old", "unknown actor"}
    job = await desk.db.jobs.find_one({"_id": job_id})
    assert (job["status"], job["error"]) == ("failed", "The job waited too long and was given up.")
    assert await desk.attempts(job_id) == []


async def test_a_letter_waits_for_a_mongo_that_is_away(
    start_worker: StartWorker, mongo_wire: Any, settings: ServiceSettings, desk: Any, eventually: Eventually
) -> None:
    uri = f"mongodb://127.0.0.1:{mongo_wire.port}/?directConnection=true"
    worker = await asyncio.to_thread(start_worker, MONGO_URI=uri, MONGO_READ_URI="", MONGO_TIMEOUT_MS="100")
    await mongo_wire.cut()
    message: Message[Any] = Message(queue_name="chores", actor_name="stumble", args=(), kwargs={}, options={})
    await asyncio.to_thread(broker.publisher(settings, settings.service).enqueue, message)

    async def tries_again() -> bool:
        return worker.log.read_text().count("dead letter not kept") >= 2

    await eventually(tries_again)
    await mongo_wire.mend()
    await eventually(lambda: has_letters(desk, 1))


async def test_a_job_that_is_replayed_is_done(start_worker: StartWorker, desk: Any, eventually: Eventually) -> None:
    start_worker()
    job_id = await desk.add("fail")
    await eventually(lambda: has_letters(desk, 1))
    await desk.db.jobs.update_one({"_id": job_id}, {"$set": {"how": "ok"}})  # what was wrong has been mended
    [letter] = await desk.letters()
    assert (await desk.dead_letters.replay(letter["_id"]))["state"] == "replayed"
    await eventually(lambda: has_status(desk, job_id, "succeeded"))
    assert await desk.attempts(job_id) == [1, 2, 3, 4]
    assert await desk.dead_letters.every() == []
    with pytest.raises(ConflictError):
        await desk.dead_letters.replay(letter["_id"])
    with pytest.raises(ConflictError):
        await desk.dead_letters.drop(letter["_id"])
    with pytest.raises(NotFoundError):
        await desk.dead_letters.replay(ObjectId())


async def test_two_who_replay_a_letter_at_once_send_one_message(desk: Any) -> None:
    letter = await _dead(desk)
    answers = await asyncio.gather(*(desk.dead_letters.replay(letter) for _ in range(5)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["ConflictError"] * 4 + ["dict"]
    assert await desk.db.outbox.count_documents({}) == 1


async def _dead(desk: Any, queue: str = "chores") -> ObjectId:
    letter = {"_id": ObjectId(), "queue": queue, "actor": "stumble", "args": [], "reason": "failed", "error": "x"}
    details = {"traceback": None, "retries": 3, "trace": {}, "sentAt": utc_now(), "records": None}
    await desk.dead_letters.keep({**letter, **details})
    return ObjectId(letter["_id"])


async def test_letters_are_listed_by_queue_and_state_the_newest_first(desk: Any) -> None:
    chores = [await _dead(desk) for _ in range(3)]
    other = await _dead(desk, "jobs")
    await desk.dead_letters.drop(chores[0])
    first = await desk.dead_letters.page(1, queue="chores")
    second = await desk.dead_letters.page(1, first["nextCursor"], queue="chores")
    assert [page["items"][0]["_id"] for page in (first, second)] == [chores[2], chores[1]]
    assert second["nextCursor"] is None
    assert [letter["_id"] for letter in (await desk.dead_letters.page(10))["items"]] == [other, chores[2], chores[1]]
    assert [letter["_id"] for letter in (await desk.dead_letters.page(10, state="dropped"))["items"]] == chores[:1]


async def test_the_command_lists_shows_replays_and_drops(desk: Any, settings: ServiceSettings) -> None:
    chores, other = [await _dead(desk) for _ in range(3)], await _dead(desk, "jobs")
    environment = {**os.environ, "SERVICE_CLIENT_ID": settings.service, "MONGO_DATABASE": settings.mongo_database}

    async def dlq(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "intervai_shared.dlq", *arguments]
        return await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)

    listed = await dlq("list", "--queue", "chores")
    assert listed.stdout.splitlines()[-1] == "3 dead", listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()[:-1]] == [str(one) for one in reversed(chores)]
    shown = json.loads((await dlq("show", str(other))).stdout)
    assert shown["_id"] == {"$oid": str(other)}
    assert (shown["queue"], shown["state"], shown["error"]) == ("jobs", "dead", "x")
    assert (await dlq("drop", str(chores[0]))).stdout == f"{chores[0]} dropped\n"
    refused = await dlq("drop", str(chores[0]))
    assert (refused.returncode, refused.stderr) == (1, "The letter has been replayed or dropped already.\n")
    assert len((await dlq("replay", "all", "--queue", "chores")).stdout.splitlines()) == 2
    assert await desk.db.outbox.count_documents({"name": "stumble"}) == 2
    assert await desk.dead_letters.every() == [other]
    assert (await dlq("replay", "nonsense")).returncode == 2
